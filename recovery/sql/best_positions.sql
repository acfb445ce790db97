-- The subjects with the highest profit in a range of months: positions, profit, wins, and what was paid and received, in dollars.
SELECT
    toString(${subject}) AS subject,
    count() AS positions,
    sum(pnl_usd) AS profit,
    countIf(pnl_usd > 0) AS wins,
    round(100 * wins / positions, 1) AS win_percent,
    sum(abs(cost_usd) + abs(exit_value)) AS volume
FROM ${positions} FINAL
WHERE resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_to:DateTime('UTC')}
GROUP BY ${subject}
ORDER BY profit DESC, subject
LIMIT {top:UInt32}
