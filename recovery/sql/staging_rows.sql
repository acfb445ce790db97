-- The rows of some tables, by partition.
SELECT table, partition_id, sum(rows) AS rows
FROM system.parts
WHERE database = {database:String} AND table IN {tables:Array(String)} AND active
GROUP BY table, partition_id
HAVING sum(rows) > 0
ORDER BY table, partition_id
