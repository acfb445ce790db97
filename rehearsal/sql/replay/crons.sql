-- The updater has run every ten minutes, and the jobs of the boards every hour.
INSERT INTO {database:Identifier}.cron_executions (cron_name, executed_at, status, duration_ms, error_message, details)
SELECT cron, at, 'success', 20000 + cityHash64(cron, at) % 9000, '', '{}'
FROM
(
    SELECT
        arrayJoin(arrayConcat([{updater:String}], {jobs:Array(String)})) AS cron,
        toDateTime(600 * number, 'UTC') AS at
    FROM numbers(
        intDiv(toUnixTimestamp({start:DateTime('UTC')}) + 599, 600),
        intDiv(toUnixTimestamp({until:DateTime('UTC')}) + 599, 600) - intDiv(toUnixTimestamp({start:DateTime('UTC')}) + 599, 600))
)
WHERE cron = {updater:String} OR toMinute(at, 'UTC') = 0
