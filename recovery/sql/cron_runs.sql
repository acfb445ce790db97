-- What the jobs that write the boards have written down since a moment.
SELECT
    cron_name AS cron,
    countIf(status = 'success') AS succeeded,
    countIf(status != 'success') AS failed,
    max(executed_at) AS last,
    argMax(duration_ms, executed_at) AS duration_ms,
    argMaxIf(error_message, executed_at, status != 'success') AS error
FROM ${runs}
WHERE cron_name IN {crons:Array(String)} AND executed_at >= {since:DateTime('UTC')}
GROUP BY cron_name
ORDER BY cron_name
