-- Which partitions hold rows of the window.
SELECT _partition_id AS partition_id, count() AS rows
FROM ${table}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
GROUP BY 1
ORDER BY 1
