-- The lots of a batch of conditions: buys of a transaction together, sells taken off them in their order, what is sold
-- valued at the average price of the position's sells. Buys and sells are read apart and joined, as the script had it.
INSERT INTO ${target}
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held,
     exit_value, pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
SELECT
    tx, who, condition, outcome, entry, amount, cost,
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
        buys.*,
        sells.sold AS sold,
        sells.proceeds AS proceeds,
        sum(amount) OVER (PARTITION BY who, condition, outcome ORDER BY entry, tx ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - amount AS before
    FROM
    (
        SELECT
            tx, who, condition, outcome, min(at) AS entry, sum(tokens) AS amount, sum(abs(dollars)) AS cost,
            max(maker) AS maker, any(resolved) AS ended, any(payout) AS payout
        FROM (${fills})
        WHERE tokens > 0
        GROUP BY tx, who, condition, outcome
    ) AS buys
    LEFT JOIN
    (
        SELECT who, condition, outcome, sum(abs(tokens)) AS sold, sum(abs(dollars)) AS proceeds
        FROM (${fills})
        WHERE tokens < 0 AND at < resolved
        GROUP BY who, condition, outcome
    ) AS sells ON buys.who = sells.who AND buys.condition = sells.condition AND buys.outcome = sells.outcome
)
WHERE cost >= 0.01
