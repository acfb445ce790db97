-- Plans the days: the fills of the month are spread by weight, with some variation from day to day.
INSERT INTO rehearsal.days
SELECT
    day,
    intDiv(day - toDate({first_day:Date}), {batch_days:UInt32}) AS batch,
    round({rows:UInt64} / {fills_per_transaction:Float64} * weight * seconds / 86400
        / sumIf(weight, toStartOfMonth(day) = {month:Date}) OVER ()) AS transactions,
    least(86400, dateDiff('second', toDateTime(day, 'UTC'), {clock:DateTime('UTC')})) AS seconds,
    if(day >= toDate({window_start:DateTime('UTC')}),
       arrayElement({new_shares:Array(Float64)}, toInt32(day - toDate({window_start:DateTime('UTC')})) + 1), 0) AS new_share
FROM
(
    SELECT
        least({first_day:Date}, {month:Date}) + number AS day,
        if(day < toDate({window_start:DateTime('UTC')}), {weight_before:Float64}, {weight_since:Float64})
            * (0.9 + 0.2 * cityHash64({seed:UInt64}, day, 'weight') / 18446744073709551616) AS weight
    FROM numbers(1000)
    WHERE toDateTime(day, 'UTC') < {clock:DateTime('UTC')}
)
QUALIFY day >= {first_day:Date}
