-- How many right rows of one unit the table still lacks.
SELECT count() AS left
FROM (${lacking})
