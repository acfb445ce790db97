-- Fragment: one version of each fill of a batch of conditions, with how its condition ended.
SELECT
    fill_id,
    any(tx_hash) AS tx,
    any(event_time) AS at,
    any(f.wallet) AS who,
    any(f.condition_id) AS condition,
    any(f.outcome_index) AS outcome,
    any(tokens_delta) AS tokens,
    any(usdc_delta) AS dollars,
    any(f.is_maker) AS maker,
    any(r.resolved) AS resolved,
    any(r.numerators[f.outcome_index + 1] / arraySum(r.numerators)) AS payout
FROM ${table} AS f
INNER JOIN
(
    SELECT condition_id, resolved_at AS resolved, JSONExtract(payout_numerators, 'Array(Float64)') AS numerators
    FROM pm_condition_resolutions FINAL
    WHERE condition_id IN (${conditions}) AND is_deleted = 0 AND payout_numerators != ''
) AS r ON f.condition_id = r.condition_id
WHERE f.condition_id IN (${conditions})
  AND source = 'clob' AND wallet != '0x0000000000000000000000000000000000000000' AND NOT (is_self_fill AND f.is_maker)
GROUP BY fill_id
