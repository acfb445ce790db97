-- Some of the rows that break a promise, whole: the first ones.
SELECT *
FROM ${guarded}
WHERE ${between} AND ${is_wrong}
ORDER BY ${at}
LIMIT {limit:UInt64}
SETTINGS ${cost}
