-- The least that a figure of some columns could take: each read once and hashed.
SELECT sum(cityHash64(${columns})) AS hash
FROM ${table}
