-- Right rows whose fill the table does not have in any form.
SELECT right_rows.fill_id AS fill_id, right_rows.day AS day
FROM
(
    SELECT fill_id
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)}
) AS stored
RIGHT ANTI JOIN
(
    SELECT fill_id, toDate(event_time, 'UTC') AS day
    FROM (${right_rows})
) AS right_rows ON stored.fill_id = right_rows.fill_id
