-- The updater writes nothing, and says nothing of it.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SELECT *
FROM fills
WHERE NOT (source = 'clob' AND event_time >= {fault_from:DateTime('UTC')} AND event_time < {fault_to:DateTime('UTC')})
