-- A condition ends some days after its last trade; six of ten are resolved at once.
INSERT INTO {world:Identifier}.resolutions
SELECT
    condition_id, if(h % 2 = 0, '[1,0]', '[0,1]') AS payout_numerators, '1' AS payout_denominator,
    ended AS resolved_at, ended + INTERVAL 10 MINUTE AS insert_time, toUInt8(0) AS is_deleted
FROM
(
    SELECT
        lower(hex(SHA256(concat('condition/', key)))) AS condition_id,
        cityHash64(condition_id, 'resolution') AS h,
        toDateTime(slot * 14400, 'UTC') + INTERVAL 21 DAY + toIntervalSecond(cityHash64(h, 'end') % 172800) AS ended
    FROM
    (
        SELECT
            intDiv(toUnixTimestamp({until:DateTime('UTC')}), 14400) - 126 + 6 - arrayJoin(range(72)) AS slot,
            concat(toString({seed:UInt64}), '/clean/', toString(slot), '/', toString(arrayJoin(range(4)))) AS key
    )
)
WHERE h % 100 < 60 AND insert_time >= {begin:DateTime('UTC')} AND insert_time < {until:DateTime('UTC')}
