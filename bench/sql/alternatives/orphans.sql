-- Broken rows whose fill has no good row: the smaller side is the one that is hashed.
SELECT broken.fill_id AS fill_id, broken.day AS day
FROM
(
    SELECT fill_id
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id != ''
) AS good
RIGHT ANTI JOIN
(
    SELECT fill_id, toDate(event_time, 'UTC') AS day
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id = ''
      AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
) AS broken ON good.fill_id = broken.fill_id
