-- The updater has run every ten minutes for a day.
INSERT INTO cron_executions (cron_name, executed_at, status, duration_ms, error_message, details)
SELECT {updater:String}, {clock:DateTime('UTC')} - toIntervalMinute(10 * number), 'success', 20000 + cityHash64({seed:UInt64}, number) % 9000, '', '{}'
FROM numbers(1, 144)
