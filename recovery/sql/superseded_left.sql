-- How many superseded rows of one share are still in the table.
SELECT count() AS left
FROM ${table}
WHERE ${superseded}
