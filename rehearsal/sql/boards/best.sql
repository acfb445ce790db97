-- The application computes a board of the best wallets from the positions.
INSERT INTO {database:Identifier}.{board:Identifier} (wallet, rank, total_pnl, win_rate, trades, updated_at)
SELECT wallet, row_number() OVER (ORDER BY round(pnl, 6) DESC, wallet), pnl, wins, positions, {now:DateTime('UTC')}
FROM
(
    SELECT toString(wallet) AS wallet, sum(pnl_usd) AS pnl, countIf(pnl_usd > 0) / count() AS wins, count() AS positions
    FROM {database:Identifier}.{source:Identifier}
    GROUP BY wallet
    ORDER BY round(pnl, 6) DESC, wallet
    LIMIT {best:UInt64}
)
