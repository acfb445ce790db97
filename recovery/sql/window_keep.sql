-- List the identities of the window that the source has no right row for, of one share: their rows are carried over as they are.
INSERT INTO ${target} (share, id)
SELECT DISTINCT 0, sipHash128(tuple(${identity}))
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned}
  AND sipHash64(sipHash128(tuple(${identity}))) % {shares:UInt32} = {share:UInt32}
  AND sipHash128(tuple(${identity})) NOT IN (SELECT id FROM ${held} WHERE share = {share:UInt32})
