-- The plan's query 2 of phase 5: per day, rows that are broken.
SELECT
    toDate(event_time, 'UTC') AS date,
    count() AS total_fills,
    countIf(condition_id = '') AS empty_fills,
    round(countIf(condition_id = '') * 100.0 / count(), 2) AS pct_empty
FROM ${table}
WHERE source = 'clob'
  AND event_time >= {time_from:DateTime('UTC')}
  AND event_time < {time_to:DateTime('UTC')}
GROUP BY date
ORDER BY date DESC
