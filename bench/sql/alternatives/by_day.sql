-- Rows and identities of a finding, per day.
SELECT day, count() AS rows, uniqExact(fill_id) AS identities
FROM (${found})
GROUP BY day
ORDER BY day
