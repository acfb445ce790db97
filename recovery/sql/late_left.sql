-- How many rows of one range that came meanwhile the table lacks.
SELECT count() AS left
FROM (${late_rows})
