-- What each month of a table of positions, or one month, holds, in a form that merges do not change.
SELECT
    _partition_id AS partition_id,
    count() AS rows,
    toString(sum(toUInt128(sipHash64(tuple(${stored}))))) AS hash
FROM ${own_table} ${final}
WHERE {month:String} IN ('', _partition_id)
GROUP BY 1
ORDER BY 1
