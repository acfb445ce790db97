-- How many conditions, lots and shorts the right positions have, by month of resolution.
SELECT formatDateTime(resolved_at, '%Y-%m', 'UTC') AS month, uniqExact(condition_id), countIf(NOT is_short), countIf(is_short)
FROM rehearsal.positions
GROUP BY month
ORDER BY month
