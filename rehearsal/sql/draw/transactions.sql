-- Draws the transactions of a batch of days. x runs evenly over 0..1 along the day, so that each day gets its share of
-- new tokens to a fraction of a percent, and in it the tokens that are never mapped their part.
INSERT INTO rehearsal.transactions
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT batch, n, at, d.kind, d.created, toUInt32(pow(size + 1, u('rank'))) AS rank
FROM
(
    SELECT
        batch, cityHash64(day, n) AS n, at, cityHash64({seed:UInt64}, day, n) AS h,
        multiIf(
            at < {fixed_at:DateTime('UTC')} AND x < share * {orphan_share:Float64}, 'orphan',
            at < {fixed_at:DateTime('UTC')} AND x < share, if(day < fixed_day, 'new', 'late'),
            at < {fixed_at:DateTime('UTC')}, 'old',
            x < if(day = fixed_day, {late_share_first_day:Float64}, {late_share:Float64}) AND day < toDate({clock:DateTime('UTC')}), 'late',
            x < 0.5, 'new',
            'old') AS kind,
        multiIf(
            kind = 'old', {month:Date} - 31,
            kind = 'orphan', first_day,
            kind = 'late', day,
            first_day + toUInt32(u('created') * (least(day + 1, fixed_day) - first_day))) AS created
    FROM
    (
        SELECT
            batch, day, n,
            toDateTime(day, 'UTC') + toIntervalSecond(floor((n + 0.5) * seconds / transactions)) AS at,
            n * 0.6180339887498949 + cityHash64({seed:UInt64}, day) / 18446744073709551616 AS turn,
            turn - floor(turn) AS x,
            toDate({window_start:DateTime('UTC')}) AS first_day,
            toDate({fixed_at:DateTime('UTC')}) AS fixed_day,
            if(day = fixed_day, new_share * 86400 / dateDiff('second', toDateTime(day, 'UTC'), {fixed_at:DateTime('UTC')}), new_share) AS share
        FROM rehearsal.days ARRAY JOIN range(transactions) AS n
        WHERE batch = {batch:UInt64}
    )
) AS d
INNER JOIN rehearsal.pools AS p ON d.kind = p.kind AND d.created = p.created
