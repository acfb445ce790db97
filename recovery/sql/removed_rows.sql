-- The rows that a deduplication removes from the window: the broken ones, orphans among them.
SELECT ${stored}
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND ${broken}
