-- Merges of the table that are running in the affected partitions.
SELECT partition_id, elapsed, progress, num_parts, total_size_bytes_compressed AS bytes, is_mutation
FROM system.merges
WHERE database = {database:String} AND table = {table:String} AND partition_id IN {partitions:Array(String)}
ORDER BY elapsed DESC
