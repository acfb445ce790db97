-- How many fills of each class the truth holds.
SELECT class, count() AS fills FROM rehearsal.truth GROUP BY class ORDER BY class
