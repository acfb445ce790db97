-- The same lots, buys and sells read together: what the script could have been without changing its batches.
INSERT INTO ${target}
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held,
     exit_value, pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
SELECT
    lot, who, condition, outcome, entry, amount, cost,
    least(amount, greatest(0, sold - before)) AS early,
    amount - early AS held,
    if(sold > 0, early / sold * proceeds, 0) + held * payout AS worth,
    worth - cost AS pnl,
    if(cost > 0, pnl / cost, 0) AS roi,
    early / amount * 100 AS pct,
    maker, ended, 0
FROM
(
    SELECT
        *,
        sumIf(amount, lot = '') OVER (PARTITION BY who, condition, outcome) AS sold,
        sumIf(cost, lot = '') OVER (PARTITION BY who, condition, outcome) AS proceeds,
        sumIf(amount, lot != '') OVER (PARTITION BY who, condition, outcome ORDER BY entry, lot ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - amount AS before
    FROM
    (
        SELECT
            if(tokens > 0, tx, '') AS lot, who, condition, outcome, min(at) AS entry,
            sum(abs(tokens)) AS amount, sum(abs(dollars)) AS cost, max(maker) AS maker, any(resolved) AS ended, any(payout) AS payout
        FROM (${fills})
        WHERE tokens > 0 OR (tokens < 0 AND at < resolved)
        GROUP BY lot, who, condition, outcome
    )
)
WHERE lot != '' AND cost >= 0.01
