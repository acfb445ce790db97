-- Remove exactly the superseded rows of one share: broken rows of the window whose identity is listed.
DELETE FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND ${broken}
  AND sipHash128(tuple(${identity})) IN (SELECT id FROM ${worklist} WHERE share = {share:UInt32})
