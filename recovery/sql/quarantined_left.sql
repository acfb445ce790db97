-- How many rows that are in quarantine are still in the table.
SELECT count() AS left
FROM ${table}
WHERE ${quarantined}
