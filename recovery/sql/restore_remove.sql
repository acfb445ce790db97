-- Remove the listed rows of one share: those and no others, whatever is written meanwhile.
DELETE FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND sipHash128(tuple(${stored})) IN
  (
      SELECT id FROM ${worklist} WHERE side = 'remove' AND sipHash64(id) % {shares:UInt32} = {share:UInt32}
  )
