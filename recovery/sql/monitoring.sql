-- What the nightly checks wrote down since a moment: results, hours from then to the last one, and how they came out.
SELECT
    count() AS results,
    dateDiff('hour', {since:DateTime('UTC')}, max(check_time)) AS hours,
    countIf(status = 'CRITICAL') AS not_ok,
    groupUniqArrayIf(10)(concat(check_name, ' ', status), status = 'CRITICAL') AS sample
FROM ${monitoring} FINAL
WHERE check_time >= {since:DateTime('UTC')} AND check_time <= {now:DateTime('UTC')}
