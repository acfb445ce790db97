-- The events of an hour, those that came twice as well.
SELECT *
FROM default.pm_trader_events_v3
WHERE trade_time >= {since:DateTime('UTC')} AND trade_time < {until:DateTime('UTC')}
