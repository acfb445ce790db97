-- One of the other sources stops for good.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SETTINGS optimize_on_insert = 0
SELECT *
FROM {world:Identifier}.fills
WHERE event_time >= {start:DateTime('UTC')} AND event_time < {until:DateTime('UTC')}
  AND NOT (source = {other_sources:Array(String)}[1] AND event_time >= {fault_from:DateTime('UTC')})
