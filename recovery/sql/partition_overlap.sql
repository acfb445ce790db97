-- How many identities, in one range of the sorting key, have rows in several partitions of the table and of quarantine, by 64 bits.
SELECT count() AS identities
FROM
(
    SELECT id
    FROM
    (
        SELECT sipHash64(tuple(${identity})) AS id, cityHash64(_partition_id) AS partition
        FROM ${table}
        WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
        UNION ALL
        SELECT sipHash64(tuple(${identity})) AS id, cityHash64(_partition_id) AS partition
        FROM ${set_aside}
        WHERE {has_quarantine:Bool} AND ${in_range}
    )
    GROUP BY id
    HAVING min(partition) != max(partition)
)
