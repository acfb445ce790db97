-- Runs of the incremental updater since a moment.
SELECT
    countIf(status = 'success') AS succeeded,
    countIf(status != 'success') AS failed,
    toString(max(executed_at), 'UTC') AS last
FROM {database:Identifier}.{table:Identifier}
WHERE cron_name = {cron:String}
  AND executed_at >= {since:DateTime('UTC')} AND executed_at <= {now:DateTime('UTC')}
