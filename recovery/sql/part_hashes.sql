-- The active parts of some partitions of a table, by what their files hold: a part and its hard linked copy have the same hash.
SELECT partition_id, rows, hash_of_all_files, name
FROM system.parts
WHERE database = {database:String} AND table = {table:String} AND active AND partition_id IN {partitions:Array(String)}
ORDER BY partition_id, rows, hash_of_all_files
