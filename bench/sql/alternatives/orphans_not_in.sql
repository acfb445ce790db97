-- Broken rows whose fill has no good row, as it is mostly written: all good fills are kept in memory.
SELECT fill_id, toDate(event_time, 'UTC') AS day
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id = ''
  AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
  AND fill_id NOT IN
  (
      SELECT fill_id
      FROM ${table}
      WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id != ''
  )
