-- The plan's query 2 of phase 3: per day, rows that are broken still and rows that are filled.
SELECT
    toDate(event_time, 'UTC') AS date,
    count() AS total_rows,
    countIf(condition_id = '') AS still_empty,
    countIf(condition_id != '') AS now_filled,
    round(countIf(condition_id != '') * 100.0 / count(), 2) AS pct_filled
FROM ${table}
WHERE source = 'clob'
  AND event_time >= {time_from:DateTime('UTC')}
  AND event_time < {time_to:DateTime('UTC')}
GROUP BY date
ORDER BY date DESC
