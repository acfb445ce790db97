-- How much the positions of some months are, in rows, tokens' lots and dollars.
SELECT
    count() AS rows,
    countIf(is_short = 0) AS lots,
    countIf(is_short = 1) AS shorts,
    round(sum(cost_usd), 2) AS cost,
    round(sum(pnl_usd), 2) AS profit
FROM ${positions} FINAL
WHERE resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_to:DateTime('UTC')}
