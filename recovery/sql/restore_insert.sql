-- Put the rows of the window back as the snapshot has them, versions and all.
INSERT INTO ${table} (${stored})
SELECT ${stored}
FROM ${snapshot}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
