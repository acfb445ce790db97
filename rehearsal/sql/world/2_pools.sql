-- Plans the conditions: old ones, new ones of each day until the writer was fixed, some that are never mapped,
-- some of each day since, which are mapped the day after, and some that were settled before the month. Of 96 million fills a month
-- about 30,000 conditions are resolved, as in production; a small world has more for its size.
INSERT INTO rehearsal.pools
SELECT 'old', {month:Date} - 31, greatest(40, least(intDiv({sized_as:UInt64}, 400), 2000 + intDiv({sized_as:UInt64}, 5300))), toDateTime({month:Date} - 31, 'UTC')
UNION ALL
SELECT 'new', day, greatest(12, least(intDiv({sized_as:UInt64}, 2000), 200 + intDiv({sized_as:UInt64}, 41000))), toDateTime(toDate({fixed_at:DateTime('UTC')}), 'UTC')
FROM rehearsal.days WHERE day >= toDate({window_start:DateTime('UTC')}) AND day < toDate({fixed_at:DateTime('UTC')})
UNION ALL
SELECT 'orphan', toDate({window_start:DateTime('UTC')}), greatest(5, intDiv({sized_as:UInt64}, 40000)), toDateTime(0, 'UTC')
UNION ALL
SELECT 'late', day, greatest(3, intDiv({sized_as:UInt64}, 100000)), toDateTime(day + 1, 'UTC') + INTERVAL 5 HOUR
FROM rehearsal.days WHERE day >= toDate({fixed_at:DateTime('UTC')})
UNION ALL
SELECT 'settled', {month:Date} - 31, greatest(5, intDiv({sized_as:UInt64}, 2000)), toDateTime({month:Date} - 31, 'UTC')
