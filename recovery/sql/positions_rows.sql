-- Rows of the months that do not agree with themselves, or with the payout of their outcome. What is no number agrees with nothing.
SELECT
    count() AS rows,
    countIf(NOT (tokens_sold_early <= tokens + 1e-6 AND tokens_sold_early >= 0)) AS sold_beyond,
    countIf(NOT (abs(pnl_usd - (exit_value - cost_usd)) <= 1e-6 + 1e-9 * abs(exit_value))) AS wrong_profit,
    countIf(NOT (abs(roi * abs(cost_usd) - pnl_usd) <= 1e-6 + 1e-9 * abs(pnl_usd))) AS wrong_roi,
    countIf(NOT (abs(tokens_held + tokens_sold_early - tokens) <= 1e-6 AND abs(pct_sold_early * tokens - 100 * tokens_sold_early) <= 1e-6 + 1e-9 * tokens)) AS wrong_share,
    countIf(NOT if(is_short, abs(exit_value + tokens * payout) <= 1e-6 + 1e-9 * tokens,
                   exit_value - tokens_held * payout >= -1e-6 - 1e-9 * tokens
                   AND (tokens_sold_early > 0 OR exit_value - tokens_held * payout <= 1e-6 + 1e-9 * tokens))) AS wrong_payout,
    countIf(NOT known) AS unresolved,
    countIf(known AND p.outcome_index >= length(c.payouts)) AS without_payout,
    countIf(p.resolved_at != c.resolved_at AND known) AS wrong_time
FROM
(
    SELECT *
    FROM ${positions} FINAL
    WHERE resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_to:DateTime('UTC')}
      AND resolved_at < {cutoff:DateTime('UTC')}
) AS p
LEFT JOIN (SELECT condition_id, resolved_at, payouts, 1 AS is_known FROM (${resolved})) AS c USING (condition_id)
ARRAY JOIN [c.is_known = 1] AS known, [c.payouts[p.outcome_index + 1]] AS payout
