-- Fragment: the conditions that were resolved in the months and before the cutoff, the latest word on each, with the payout of each outcome.
SELECT
    condition_id,
    resolved_at,
    JSONExtract(payout_numerators, 'Array(Float64)') AS numerators,
    arrayMap(numerator -> numerator / arraySum(numerators), numerators) AS payouts
FROM (SELECT * FROM ${resolutions} FINAL) AS latest
WHERE is_deleted = 0
  AND payout_numerators != ''
  AND resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_to:DateTime('UTC')}
  AND resolved_at < {cutoff:DateTime('UTC')}
