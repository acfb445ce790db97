-- Some identities of one class, to be shown beside its count.
SELECT ${identity}
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND sipHash128(tuple(${identity})) IN
  (
      SELECT id FROM (${identities}) WHERE class = {class:String} ORDER BY id LIMIT {limit:UInt32}
  )
LIMIT 1 BY ${identity}
LIMIT {limit:UInt32}
