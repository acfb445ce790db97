-- Identities with more than one row: in more than one version, under more than one key, in more than one partition.
SELECT
    count() AS identities,
    sum(rows) - count() AS surplus,
    countIf(versions > 1) AS versioned,
    countIf(keys > 1) AS doubled,
    countIf(keys > 1 AND broken = 0) AS doubled_good,
    countIf(partitions > 1) AS spread
FROM
(
    SELECT
        count() AS rows,
        if(min(_version) = max(_version), 1, 2) AS versions,
        if(min((wallet, condition_id, outcome_index)) = max((wallet, condition_id, outcome_index)), 1, 2) AS keys,
        if(min(_partition_id) = max(_partition_id), 1, 2) AS partitions,
        countIf(condition_id = '' AND source = 'clob') AS broken
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)}
    GROUP BY fill_id
    HAVING rows > 1
)
