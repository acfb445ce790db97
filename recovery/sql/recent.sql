-- Is the writer right now? Rows it owns since a moment, how many of them are broken, and how many are later than now.
SELECT
    countIf(${time} <= {now:DateTime('UTC')}) AS total,
    countIf(${broken}) AS broken,
    countIf(${time} > {now:DateTime('UTC')} + INTERVAL 5 MINUTE) AS later
FROM ${table}
WHERE ${owned}
  AND ${time} >= {since:DateTime('UTC')}
