-- Good rows of the window with a version from a moment on, per day, in one range of the sorting key: what the backfill wrote.
SELECT toString(toDate(${time}, 'UTC')) AS day, uniqExact(sipHash64(tuple(${identity}))) AS rows
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND NOT ${broken}
  AND ${version} >= {since_version:UInt64}
GROUP BY 1
ORDER BY 1
