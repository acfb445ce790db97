-- How many rows others wrote outside the window since the snapshot.
SELECT count() AS rows
FROM (${later})
