-- The least that a figure of some columns could take: each read once and hashed, as the suite does.
SELECT sum(sipHash64(${columns})) AS hash
FROM ${table}
