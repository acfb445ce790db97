-- Fills are written.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SETTINGS optimize_on_insert = 0
SELECT *
FROM {world:Identifier}.fills
WHERE event_time >= {start:DateTime('UTC')} AND event_time < {until:DateTime('UTC')}
