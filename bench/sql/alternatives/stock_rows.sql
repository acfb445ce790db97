-- The rows of the affected partitions, for expectations over them.
SELECT *
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
