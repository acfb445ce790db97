-- The fills of an hour as production stored them.
SELECT *
FROM default.pm_canonical_fills_v4
WHERE event_time >= {since:DateTime('UTC')} AND event_time < {until:DateTime('UTC')}
