-- How many hosts the server knows of a cluster, and what the tables are that the incident is read through: of a Distributed one, the
-- cluster, the database and the table that it lies over.
SELECT
    (SELECT count() FROM system.clusters WHERE cluster = {cluster:String}) AS hosts,
    (
        SELECT groupArray((name, engine, extractGroups(engine_full, '^Distributed\\(''?([^'',]+)''?, ''?([^'',]+)''?, ''?([^'',)]+)')))
        FROM system.tables
        WHERE database = {database:String} AND name IN {tables:Array(String)}
    ) AS tables
