-- The version that a row written now would get, and the highest one that is stored.
SELECT
    toUInt64(${version_now}) AS version_now,
    max(toUInt64(${version})) AS stored
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
