-- The least that a scan could take: its columns, read and hashed.
SELECT sum(cityHash64(${columns})) AS hash
FROM ${guarded}
SETTINGS max_threads = ${threads}
