-- Good rows that are not what the source says, compared by a hash of all that they hold.
SELECT right_rows.fill_id AS fill_id, right_rows.day AS day
FROM
(
    SELECT
        fill_id,
        cityHash64(event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                   tokens_delta, usdc_delta, source, is_self_fill, is_maker) AS content
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id != ''
) AS good
INNER JOIN
(
    SELECT
        fill_id,
        toDate(event_time, 'UTC') AS day,
        cityHash64(event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                   tokens_delta, usdc_delta, source, is_self_fill, is_maker) AS content
    FROM (${right_rows})
) AS right_rows ON good.fill_id = right_rows.fill_id
WHERE good.content != right_rows.content
