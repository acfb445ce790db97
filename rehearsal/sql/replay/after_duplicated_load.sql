-- When a day has ended, its fills are loaded once more.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SETTINGS optimize_on_insert = 0
SELECT * REPLACE (_version + 86400000 AS _version)
FROM {database:Identifier}.pm_canonical_fills_v4
WHERE event_time >= {fault_from:DateTime('UTC')} AND event_time < {fault_to:DateTime('UTC')}
  AND toStartOfDay(event_time, 'UTC') + INTERVAL 1 DAY >= {start:DateTime('UTC')}
  AND toStartOfDay(event_time, 'UTC') + INTERVAL 1 DAY < {until:DateTime('UTC')}
