-- Is the writer right now? Rows it owns since a moment, and how many of them are broken.
SELECT
    count() AS total,
    countIf(${broken}) AS broken
FROM ${table}
WHERE ${owned}
  AND ${time} >= {since:DateTime('UTC')}
  AND ${time} <= {now:DateTime('UTC')}
