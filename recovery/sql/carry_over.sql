-- After a restore, bring back what others wrote outside the window since the snapshot.
INSERT INTO ${table} (${stored})
SELECT ${stored}
FROM (${later})
WHERE sipHash128(${stored}) NOT IN (SELECT sipHash128(${stored}) FROM ${table} WHERE _partition_id IN {partitions:Array(String)})
