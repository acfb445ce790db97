-- Fragment, a condition: a broken row of the window, in one range of the sorting key, whose identity is listed in one share of
-- ${worklist}, by 128 bits.
_partition_id IN {partitions:Array(String)} AND ${in_range}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND ${broken}
  AND sipHash128(tuple(${identity})) IN (SELECT id FROM ${worklist} WHERE share = {share:UInt32})
