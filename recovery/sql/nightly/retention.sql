-- How a table is made, its TTL among it.
SELECT engine_full, sorting_key
FROM system.tables
WHERE database = {database:String} AND name = {table:String}
