-- The updater has read everything up to now.
INSERT INTO pm_ingest_watermarks_v1
SELECT 'clob', max(block), max(at), count(), {now:DateTime('UTC')}
FROM rehearsal.halves
