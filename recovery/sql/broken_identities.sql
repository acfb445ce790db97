-- Fragment: per identity that is broken in the window, how many broken rows it has there and how many good rows anywhere.
SELECT
    sipHash128(${identity}) AS id,
    sipHash64(id) % {shares:UInt32} AS share,
    countIf(${broken} AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}) AS broken_rows,
    countIf(NOT ${broken}) AS good_rows
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)} AND ${owned}
GROUP BY id
HAVING broken_rows > 0
