-- Fills are written, some of them hours late.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SETTINGS optimize_on_insert = 0
WITH if(event_time >= {fault_from:DateTime('UTC')} AND event_time < {fault_to:DateTime('UTC')}, {late:UInt32}, 0) AS delay
SELECT * REPLACE (_version + 1000 * delay AS _version)
FROM {world:Identifier}.fills
WHERE event_time >= {start:DateTime('UTC')} - toIntervalSecond({late:UInt32}) AND event_time < {until:DateTime('UTC')}
  AND event_time + toIntervalSecond(delay) >= {start:DateTime('UTC')} AND event_time + toIntervalSecond(delay) < {until:DateTime('UTC')}
