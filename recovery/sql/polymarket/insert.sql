-- Put the rows of a fragment into their table.
INSERT INTO ${target} (${columns})
SELECT ${columns}
FROM (${rows})
