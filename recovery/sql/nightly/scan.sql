-- What the promises of a table need, in one pass over its rows: by hour where they are recent, by day before, and by the
-- column that splits them.
SELECT
    ${slot} AS slot,
    ${value} AS value,
    min(${recent}) AS recent,
    count() AS rows,
    ${last} AS last${figures}
FROM ${guarded}
WHERE ${looked_at}
GROUP BY 1, 2
ORDER BY 1, 2
SETTINGS ${cost}
