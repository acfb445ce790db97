-- Rows of a table by partition, counted, not read from system.parts.
SELECT _partition_id AS partition_id, count() AS rows
FROM ${table}
GROUP BY partition_id
ORDER BY partition_id
