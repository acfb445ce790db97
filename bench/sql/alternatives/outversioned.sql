-- Fills of which a broken row is as new as the newest good row, or newer: it would win.
SELECT fill_id, toDate(minIf(event_time, condition_id = ''), 'UTC') AS day
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob'
  AND fill_id IN
  (
      SELECT fill_id
      FROM ${table}
      WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id = ''
        AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
  )
GROUP BY fill_id
HAVING countIf(condition_id != '') > 0 AND maxIf(_version, condition_id != '') <= maxIf(_version, condition_id = '')
