-- The rows of a partition that the right rows of the range do not stand for, as they are.
INSERT INTO ${target}
SELECT *
FROM ${table}
WHERE _partition_id = {partition:String}
  AND NOT (source = 'clob' AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')})
