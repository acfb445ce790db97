-- Half of the conditions ended, over the month.
INSERT INTO pm_condition_resolutions
WITH toDateTime(toUnixTimestamp('2026-01-01 00:00:00', 'UTC') + intDiv((number + 1) * (31 * 86400), 15000) - 60, 'UTC') AS ended
SELECT
    lower(concat(hex(sipHash128('market', number)), hex(sipHash128('market, more', number)))),
    if(number % 2 = 0, '[1,0]', '[0,1]'),
    '1',
    ended,
    ended,
    0
FROM numbers(15000)
