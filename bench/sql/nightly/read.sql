-- The same columns, only read.
SELECT count() AS rows
FROM ${guarded}
WHERE NOT ignore(${columns})
SETTINGS max_threads = ${threads}
