-- A job of the application notes that it ran.
INSERT INTO cron_executions (cron_name, executed_at, status, duration_ms, error_message, details)
VALUES ({cron:String}, {now:DateTime('UTC')}, {status:String}, {duration_ms:UInt32}, {error:String}, '{}')
