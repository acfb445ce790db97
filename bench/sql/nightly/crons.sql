-- The updater ran every ten minutes of the month.
INSERT INTO cron_executions
SELECT 'update-canonical-fills', toDateTime('2026-02-01 00:05:00', 'UTC') - 600 * number, 'success', 900, '', ''
FROM numbers(4464)
