-- One row per run of one of the application's jobs. No TTL here: the rehearsal plays in its own month.
CREATE TABLE cron_executions
(
    cron_name String,
    executed_at DateTime DEFAULT now(),
    status String,
    duration_ms UInt32,
    error_message String,
    details String
)
ENGINE = MergeTree
ORDER BY (cron_name, executed_at)
