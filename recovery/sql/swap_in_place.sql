-- Of some rows that only the shadow had, how many the table has by now, versions and all: all or none, but for later corrections.
SELECT count() AS there
FROM ${table}
WHERE _partition_id = {partition:String}
  AND ${version} >= {before_version:UInt64}
  AND sipHash128(tuple(${stored})) IN
  (
      SELECT sipHash128(tuple(${stored}))
      FROM ${shadow}
      WHERE _partition_id = {partition:String}
        AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        AND ${owned} AND NOT ${broken}
        AND ${version} >= {before_version:UInt64}
      ORDER BY sipHash64(tuple(${identity}))
      LIMIT 1000
  )
