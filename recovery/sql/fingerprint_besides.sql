-- The fingerprint of the window of ${table}, identities that others wrote to since the snapshot left aside.
SELECT
    toString(toDate(${time}, 'UTC')) AS day,
    1 AS in_window,
    count() AS rows,
    toString(sum(toUInt128(sipHash64(tuple(${content}))))) AS hash
FROM ${table} ${final}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND sipHash128(tuple(${identity})) NOT IN (SELECT identity FROM ${worklist} WHERE side = 'later')
GROUP BY 1, 2
ORDER BY 1, 2
