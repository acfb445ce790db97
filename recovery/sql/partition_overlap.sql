-- How many rows of a partition have, in one range of the sorting key, an identity that rows of other partitions have, by 64 bits.
SELECT count() AS rows
FROM ${table}
WHERE _partition_id = {partition:String} AND ${in_range}
  AND sipHash64(tuple(${identity})) IN
  (
      SELECT sipHash64(tuple(${identity}))
      FROM ${table}
      WHERE _partition_id IN {others:Array(String)} AND ${in_range}
  )
