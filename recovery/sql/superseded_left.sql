-- How many superseded rows of one range and share are still in the table.
SELECT count() AS left
FROM ${table}
WHERE ${superseded}
