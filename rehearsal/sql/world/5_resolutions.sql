-- How conditions ended, in January and February, the settled ones in the month before: six of ten resolved, some open,
-- some deleted, some without a row.
INSERT INTO pm_condition_resolutions
SELECT
    condition_id,
    multiIf(h % 100 >= 60, '', length(tokens) = 3, '[0,1,0]', h % 100 < 4, '[1,1]', h % 2 = 0, '[1,0]', '[0,1]'),
    multiIf(h % 100 >= 60, '', length(tokens) = 2 AND h % 100 < 4, '2', '1') AS payout_denominator,
    if(h % 100 >= 60, toDateTime(0, 'UTC'), ended) AS resolved_at,
    ended + INTERVAL 10 MINUTE AS insert_time,
    h % 97 = 0 AS is_deleted
FROM
(
    SELECT *, cityHash64(condition_id, 'resolution') AS h,
           toDateTime(if(kind = 'settled', created, greatest(created, {month:Date})), 'UTC') AS since,
           if(kind = 'settled', toDateTime({month:Date}, 'UTC'), {clock:DateTime('UTC')}) AS until,
           since + toIntervalSecond(cityHash64(condition_id, 'end') % dateDiff('second', since, until)) AS ended
    FROM rehearsal.conditions
)
WHERE h % 100 < 70
