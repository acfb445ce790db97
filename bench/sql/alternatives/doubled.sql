-- Identities with more than one row: in more than one version, under more than one key, in more than one partition.
-- The key is compared by a hash, which is faster than by its columns.
SELECT
    count() AS identities,
    sum(rows) - count() AS surplus,
    countIf(versions) AS versioned,
    countIf(keys) AS doubled,
    countIf(keys AND broken = 0) AS doubled_good,
    countIf(partitions) AS spread
FROM
(
    SELECT
        count() AS rows,
        min(_version) != max(_version) AS versions,
        min(key) != max(key) AS keys,
        min(partition) != max(partition) AS partitions,
        countIf(broken) AS broken
    FROM
    (
        SELECT
            fill_id,
            _version,
            cityHash64(wallet, condition_id, outcome_index) AS key,
            _partition_id AS partition,
            condition_id = '' AND source = 'clob' AS broken
        FROM ${table}
        WHERE _partition_id IN {partitions:Array(String)}
    )
    GROUP BY fill_id
    HAVING rows > 1
)
