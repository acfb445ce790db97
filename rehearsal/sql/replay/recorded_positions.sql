-- The positions that production computed: when a condition is resolved, and of what is bought afterwards at once.
WITH greatest(resolved_at + INTERVAL 10 MINUTE, entry_time) AS written
SELECT *
FROM default.pm_trade_fifo_roi_v3
WHERE written >= {begin:DateTime('UTC')} AND written < {until:DateTime('UTC')}
