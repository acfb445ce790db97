-- Parts, rows and bytes of the partitions of the broken table. system.parts counts rows that a lightweight DELETE hides.
SELECT
    partition_id,
    count() AS parts,
    sum(rows) AS rows,
    sum(bytes_on_disk) AS bytes,
    max(max_block_number) AS last_block
FROM system.parts
WHERE database = {database:String} AND table = {table:String} AND active
GROUP BY partition_id
ORDER BY partition_id
