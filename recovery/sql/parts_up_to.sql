-- Parts of one partition that hold rows written up to a block: what a live writer has added since is left aside.
SELECT countIf(min_block_number <= {last_block:Int64}) AS parts, count() AS all_parts, sum(rows) AS rows
FROM system.parts
WHERE database = {database:String} AND table = {table:String} AND active AND partition_id = {partition:String}
