-- How many rows a fragment gives.
SELECT count() AS rows
FROM (${rows})
