-- Tables of the suite's own whose names begin alike.
SELECT name
FROM system.tables
WHERE database = {database:String} AND startsWith(name, {prefix:String})
ORDER BY name
