-- How many transactions each hour has: by weekday and by hour of the day, half a percent more each day, give or take a tenth.
INSERT INTO {world:Identifier}.hours
WITH (tag -> bitShiftRight(cityHash64({seed:UInt64}, hour, tag), 11) * exp2(-53)) AS u
SELECT
    toStartOfHour({since:DateTime('UTC')}) + toIntervalHour(number) AS hour,
    {base:Float64} / {fills_per_transaction:Float64}
        * [0.9, 1.02, 1.05, 1.04, 1, 0.55, 0.55][toDayOfWeek(hour)]
        * (1 + 0.45 * cos(pi() * (toHour(hour) - 16) / 12))
        * pow(1.005, dateDiff('hour', toDateTime({month:Date}, 'UTC'), hour) / 24) AS expected,
    toUInt32(round(expected * (1 + 0.2 * (u(1) + u(2) + u(3) - 1.5)))) AS transactions
FROM numbers(toUInt64(ceil(dateDiff('second', toStartOfHour({since:DateTime('UTC')}), {until:DateTime('UTC')}) / 3600)))
