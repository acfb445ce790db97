-- What the updater, as it should be, writes of the events that are there, and the fills of the other sources.
INSERT INTO {world:Identifier}.fills
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT
    concat('clob_', event_id) AS fill_id, trade_time AS event_time, block_number, transaction_hash AS tx_hash, trader_wallet AS wallet,
    m.condition_id AS condition_id, toUInt8(m.outcome_index) AS outcome_index,
    if(side = 'buy', token_amount, -token_amount) / 1e6 AS tokens_delta,
    if(side = 'buy', -usdc_amount, usdc_amount) / 1e6 AS usdc_delta,
    'clob' AS source, toUInt8(is_self) AS is_self_fill, toUInt8(role = 'maker') AS is_maker,
    toUInt64(1000 * (toUnixTimestamp(event_time) + 120 + cityHash64(tx_hash) % 480)) AS _version
FROM
(
    SELECT *, uniqExact(role) OVER (PARTITION BY transaction_hash, trader_wallet) > 1 AS is_self
    FROM {world:Identifier}.events
    WHERE trade_time >= {since:DateTime('UTC')} AND trade_time < {until:DateTime('UTC')}
) AS e
INNER JOIN {world:Identifier}.map AS m ON e.token_id = m.token_id_dec
WHERE NOT (is_self AND role = 'maker')
UNION ALL
SELECT
    concat(origin, '_', tx, '_', toString(n % 3)), at,
    toUInt64({first_block:Int64} + intDiv(dateDiff('second', toDateTime({month:Date}, 'UTC'), at), 2)),
    tx, concat('0x', lower(hex(SHA1(concat(toString({seed:UInt64}), '/clean/', toString(toUInt32(pow(5000, u('wallet'))))))))),
    lower(hex(SHA256(concat('condition/', toString({seed:UInt64}), '/clean/', toString(slot), '/', toString(cityHash64(h, 'rank') % 4))))),
    toUInt8(cityHash64(h, 'outcome') % 2),
    if(u('side') < 0.5, 1, -1) * round(1e6 * pow(500, u('tokens'))) / 1e6,
    if(origin = 'ctf_token', 0, if(u('side') < 0.5, -1, 1) * round(1e6 * pow(200, u('usdc'))) / 1e6),
    origin, toUInt8(0), toUInt8(0), toUInt64(1000 * (toUnixTimestamp(at) + 120 + h % 480))
FROM
(
    SELECT
        origin, n,
        cityHash64({seed:UInt64}, hour, origin, n) AS h,
        hour + toIntervalSecond(h % 3600) AS at,
        concat('0x', lower(hex(SHA256(concat(origin, toString(h)))))) AS tx,
        intDiv(toUnixTimestamp(at), 14400) - toUInt32(6 + 114 * u('age')) AS slot
    FROM
    (
        SELECT
            hour, arrayJoin({other_sources:Array(String)}) AS origin, cityHash64({seed:UInt64}, hour, origin) AS h,
            expected * {other_share:Float64} * (1 + 0.2 * (u(1) + u(2) + u(3) - 1.5)) AS wanted,
            range(toUInt32(floor(wanted + u(4)))) AS drawn
        FROM {world:Identifier}.hours
        WHERE hour >= toStartOfHour({since:DateTime('UTC')}) AND hour < {until:DateTime('UTC')}
    )
    ARRAY JOIN drawn AS n
    WHERE at >= {since:DateTime('UTC')} AND at < {until:DateTime('UTC')}
)
