-- Some events came twice, with equal content and a higher version.
INSERT INTO pm_trader_events_v3
SELECT * REPLACE (2 AS _version)
FROM pm_trader_events_v3
WHERE toDate(trade_time, 'UTC') IN (SELECT day FROM rehearsal.days WHERE batch = {batch:UInt64})
  AND cityHash64(event_id) % 100 = 0
