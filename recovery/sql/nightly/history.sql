-- The results of the nightly checks over some days before now: per check and day the worst and the last one.
SELECT
    check_name AS name,
    toString(toDate(check_time, 'UTC')) AS day,
    multiIf(countIf(status = 'CRITICAL') > 0, 'CRITICAL', countIf(status = 'WARNING') > 0, 'WARNING', 'OK') AS worst,
    max(metric_value) AS metric,
    argMax(status, check_time) AS last_status,
    argMax(details, check_time) AS last_details
FROM ${history} FINAL
WHERE check_time >= {since:DateTime('UTC')} AND check_time < {now:DateTime('UTC')}
GROUP BY check_name, day
ORDER BY check_name, day
