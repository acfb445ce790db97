-- The rows that a deduplication removes from the window: broken ones whose identity has a good row, and orphans where they go to quarantine.
SELECT ${stored}
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND ${broken}
  AND ({orphans:UInt8} = 1 OR sipHash128(tuple(${identity})) IN (SELECT id FROM (${broken_identities}) WHERE good_rows > 0))
