-- Broken rows that this recovery owns and that lie outside its window, by day.
SELECT toString(toDate(${time}, 'UTC')) AS day, countIf(${broken}) AS broken, count() AS rows
FROM ${table}
WHERE ${owned}
  AND NOT (${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')})
GROUP BY 1
ORDER BY 2 DESC, 1
