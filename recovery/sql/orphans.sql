-- Fragment: rows of the window, in one range of the sorting key, that are broken and whose identity has no good row in the
-- affected partitions.
SELECT ${stored}
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND ${broken}
  AND sipHash128(tuple(${identity})) IN (SELECT id FROM (${broken_identities}) WHERE good_rows = 0)
