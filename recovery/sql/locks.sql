-- The locks that are there, with their holders, and the server's time in seconds.
SELECT toFloat64(now64(3)) AS now, groupArray((name, comment)) AS locks
FROM system.tables
WHERE database = {database:String} AND startsWith(name, {prefix:String})
