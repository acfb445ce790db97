-- Fragment: rows of one range of the sorting key that came into the partition after the shadow was built and are not in the table:
-- those that it held just before it was replaced, in parts that were not there when the shadow was built, and those inserted since.
-- What the shadow was built to replace is left aside.
SELECT DISTINCT ${stored}
FROM
(
    SELECT ${stored}, _partition_id AS home FROM ${aside} ${final} WHERE _part IN {parts:Array(String)}
    UNION ALL
    SELECT ${stored}, _partition_id AS home FROM ${late} ${final}
)
WHERE home = {partition:String}
  AND ${in_range}
  AND NOT (${owned} AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
      AND ${version} < {before_version:UInt64})
  AND sipHash128(tuple(${stored})) NOT IN
  (
      SELECT sipHash128(tuple(${stored}))
      FROM ${table}
      WHERE _partition_id = {partition:String} AND ${in_range}
  )
