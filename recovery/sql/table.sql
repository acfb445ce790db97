-- The engine, keys and identity of a table.
SELECT engine, engine_full, sorting_key, partition_key, toString(uuid) AS uuid
FROM system.tables
WHERE database = {database:String} AND name = {table:String}
