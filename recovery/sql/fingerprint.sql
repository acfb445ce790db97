-- What the affected partitions hold, as FINAL shows it, in a form that merges do not change: count and sum of row hashes.
SELECT
    toString(toDate(${time}, 'UTC')) AS day,
    ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')} AS in_window,
    count() AS rows,
    sum(toUInt128(sipHash64(tuple(${content})))) AS hash
FROM ${table} ${final}
WHERE _partition_id IN {partitions:Array(String)}
GROUP BY 1, 2
ORDER BY 1, 2
