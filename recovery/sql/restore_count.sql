-- How many rows a restore would insert, remove, and leave because others wrote them since.
SELECT side, count() AS rows
FROM (${differing})
GROUP BY side
