-- Parts and rows of one partition of a table, and whether deleted rows are still on disk.
SELECT count() AS parts, sum(rows) AS rows, countIf(has_lightweight_delete) AS with_hidden_rows
FROM system.parts
WHERE database = {database:String} AND table = {table:String} AND active AND partition_id = {partition:String}
