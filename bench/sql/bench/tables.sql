-- The tables of a database, with their columns.
SELECT t.name AS name, groupArray(c.name) AS columns
FROM system.tables AS t
INNER JOIN system.columns AS c ON c.database = t.database AND c.table = t.name
WHERE t.database = {database:String}
GROUP BY name
ORDER BY name
