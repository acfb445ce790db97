-- Parts of one partition that hold rows written up to a block: what a live writer has added since is left aside.
-- Rows that a lightweight DELETE hid are still on disk until a merge rewrites their part.
SELECT
    countIf(min_block_number <= {last_block:Int64}) AS parts,
    countIf(min_block_number <= {last_block:Int64} AND has_lightweight_delete) AS with_hidden_rows,
    count() AS all_parts,
    sum(rows) AS rows
FROM system.parts
WHERE database = {database:String} AND table = {table:String} AND active AND partition_id = {partition:String}
