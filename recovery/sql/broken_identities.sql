-- Fragment: per identity of one range of the sorting key that is broken in the window, how many broken rows it has there and how
-- many good rows anywhere.
SELECT
    sipHash128(tuple(${identity})) AS id,
    sipHash64(sipHash128(tuple(${identity}))) % {shares:UInt32} AS share,
    countIf(${broken} AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}) AS broken_rows,
    countIf(NOT ${broken}) AS good_rows
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)} AND ${in_range} AND ${owned}
GROUP BY 1, 2
HAVING countIf(${broken} AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}) > 0
