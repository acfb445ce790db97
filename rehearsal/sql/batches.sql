-- The batches in which the days are generated.
SELECT DISTINCT batch FROM rehearsal.days ORDER BY batch
