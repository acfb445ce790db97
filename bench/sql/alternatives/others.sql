-- Rows that the recovery leaves alone: of other sources, and outside the window.
SELECT
    toDate(event_time, 'UTC') AS day,
    countIf(source != 'clob') AS foreign_rows,
    countIf(source != 'clob' AND condition_id = '') AS foreign_broken_rows,
    countIf(source = 'clob') AS outside_rows,
    countIf(source = 'clob' AND condition_id = '') AS outside_broken_rows
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND (source != 'clob' OR event_time < {time_from:DateTime('UTC')} OR event_time >= {time_to:DateTime('UTC')})
GROUP BY day
ORDER BY day
