-- Rows of a table by partition, counted, not read from system.parts.
SELECT _partition_id AS partition_id, count() AS rows
FROM ${table}
GROUP BY 1
ORDER BY 1
