-- The active parts of some partitions of a table, by what their files hold: a part and its hard linked copy have the same hash. What a
-- lightweight UPDATE left to be read beside a partition's parts is in a partition of its own, named for it.
SELECT
    partition_id,
    replaceRegexpOne(partition_id, '^patch-[0-9a-f]{32}-', '') AS patched,
    rows,
    hash_of_all_files,
    min_block_number,
    name
FROM system.parts
WHERE database = {database:String} AND table = {table:String} AND active AND patched IN {partitions:Array(String)}
ORDER BY partition_id, rows, hash_of_all_files
