-- Some of the rows that others wrote since.
SELECT ${identity}, ${time}, ${subject}
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND sipHash128(tuple(${stored})) IN (SELECT id FROM (${differing}) WHERE side = 'later' ORDER BY id LIMIT {limit:UInt32})
LIMIT {limit:UInt32}
