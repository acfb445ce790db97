-- Orphans of one range of the sorting key that were in the table when the snapshot ${table} was taken and have no good row in the table ${live} since, and how many
-- of them are, with the very same content, neither in quarantine nor in that table any more.
SELECT
    uniqExact(${identity}) AS orphans,
    uniqExactIf(
        ${identity},
        sipHash128(tuple(${content})) NOT IN (SELECT sipHash128(tuple(${content})) FROM ${quarantine})
        AND sipHash128(tuple(${content})) NOT IN
        (
            SELECT sipHash128(tuple(${content}))
            FROM ${live}
            WHERE _partition_id IN {partitions:Array(String)} AND ${in_range} AND ${owned} AND ${broken}
        )
    ) AS lost
FROM (${orphans})
WHERE sipHash128(tuple(${identity})) NOT IN
(
    SELECT sipHash128(tuple(${identity}))
    FROM ${live}
    WHERE _partition_id IN {partitions:Array(String)} AND ${in_range} AND ${owned} AND NOT ${broken}
      AND sipHash128(tuple(${identity})) IN (SELECT sipHash128(tuple(${identity})) FROM (${orphans}))
)
