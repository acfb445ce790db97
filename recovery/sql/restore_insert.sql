-- Put the listed rows of one share back as the snapshot has them, versions and all.
INSERT INTO ${table} (${stored})
SELECT ${stored}
FROM ${snapshot}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND sipHash128(tuple(${stored})) IN
  (
      SELECT id FROM ${worklist} WHERE side = 'insert' AND sipHash64(id) % {shares:UInt32} = {share:UInt32}
  )
