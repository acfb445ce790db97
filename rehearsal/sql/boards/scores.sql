-- The application computes its score of every wallet from the positions: what it gained, by how often it did.
INSERT INTO {database:Identifier}.{board:Identifier} (wallet, score, total_pnl, win_rate, trades, updated_at)
SELECT toString(wallet) AS wallet, sum(pnl_usd) * wins, sum(pnl_usd), countIf(pnl_usd > 0) / count() AS wins, count(), {now:DateTime('UTC')}
FROM {database:Identifier}.{source:Identifier}
GROUP BY wallet
