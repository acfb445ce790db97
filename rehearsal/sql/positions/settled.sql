-- The positions of the month before, which nobody rebuilds: bought once, held to the end.
INSERT INTO pm_trade_fifo_roi_v3
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held,
     exit_value, pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
SELECT
    tx_hash, wallet, condition_id, outcome, at, h.tokens / 1e6 AS amount, usdc / 1e6 AS cost, 0, amount,
    amount * numerators[outcome + 1] / arraySum(numerators) AS value, value - cost, (value - cost) / cost, 0, is_maker, resolved_at, 0
FROM rehearsal.halves AS h
INNER JOIN
(
    SELECT condition_id, resolved_at, JSONExtract(payout_numerators, 'Array(Float64)') AS numerators
    FROM pm_condition_resolutions FINAL
    WHERE is_deleted = 0 AND payout_numerators != ''
) AS r USING (condition_id)
WHERE class = 'settled' AND usdc >= 10000
