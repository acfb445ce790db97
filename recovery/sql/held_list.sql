-- List the good rows of the window that the table holds, in any version.
INSERT INTO ${target} (hash)
SELECT sipHash128(tuple(${content}))
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND NOT ${broken}
