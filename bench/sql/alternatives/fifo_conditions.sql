-- The resolved conditions, to go through in batches: of a span of resolution where one is given.
SELECT condition_id
FROM pm_condition_resolutions FINAL
WHERE is_deleted = 0 AND payout_numerators != ''
  AND resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_to:DateTime('UTC')}
ORDER BY condition_id
