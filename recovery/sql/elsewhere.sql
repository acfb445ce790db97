-- Identities of the window that also have a row in a partition which the incident file does not name, in one range of the
-- sorting key.
SELECT countIf(rows_there > 0) AS elsewhere
FROM
(
    SELECT
        sipHash64(tuple(${identity})),
        countIf(_partition_id NOT IN {partitions:Array(String)}) AS rows_there
    FROM ${table}
    WHERE ${owned} AND ${in_range}
    GROUP BY 1
    HAVING countIf(${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}) > 0
)
