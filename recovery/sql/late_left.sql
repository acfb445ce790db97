-- How many rows of one share that came meanwhile the table lacks.
SELECT count() AS left
FROM (${late_rows})
