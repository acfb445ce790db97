-- The events, those that came twice as well.
INSERT INTO {world:Identifier}.events
SELECT * FROM default.pm_trader_events_v3
