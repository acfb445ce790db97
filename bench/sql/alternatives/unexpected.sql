-- Good rows of the window that the source does not know.
SELECT good.fill_id AS fill_id, good.day AS day
FROM
(
    SELECT fill_id, toDate(event_time, 'UTC') AS day
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id != ''
      AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
) AS good
LEFT ANTI JOIN
(
    SELECT fill_id
    FROM (${right_rows})
) AS right_rows ON good.fill_id = right_rows.fill_id
