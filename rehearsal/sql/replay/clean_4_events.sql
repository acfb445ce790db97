-- The halves of made-up transactions: one taker order against 1 to 10 maker orders, a tenth of them on conditions that
-- began within a day.
INSERT INTO {world:Identifier}.events
    (event_id, trader_wallet, role, side, token_id, usdc_amount, token_amount, fee_amount, trade_time, transaction_hash, block_number, _version)
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT
    concat(tx_hash, '_0x', lower(hex(SHA256(concat(tx_hash, toString(half.1))))), if(half.1 > 0, '-m', '-t')) AS event_id,
    concat('0x', lower(hex(SHA1(concat(toString({seed:UInt64}), '/clean/', toString(half.2)))))) AS trader_wallet,
    if(half.1 > 0, 'maker', 'taker') AS role,
    if(if(half.1 = 0 OR half.3 != outcome, buys, NOT buys), 'buy', 'sell') AS side,
    toString(reinterpretAsUInt256(SHA256(concat('token/', toString(half.3), '/', key)))) AS token_id,
    toFloat64(half.5) AS usdc_amount, toFloat64(half.4) AS token_amount,
    toFloat64(if(half.1 = 0 AND h % 10 = 0, intDiv(half.5, 500), 0)) AS fee_amount,
    at AS trade_time, tx_hash AS transaction_hash,
    toUInt64({first_block:Int64} + intDiv(dateDiff('second', toDateTime({month:Date}, 'UTC'), at), 2)) AS block_number,
    toUInt64(1) AS _version
FROM
(
    SELECT
        at, h, key,
        concat('0x', lower(hex(SHA256(concat('tx/', toString(h)))))) AS tx_hash,
        u('side') < 0.75 AS buys,
        toUInt8(cityHash64(h, 'outcome') % 2) AS outcome,
        0.05 + 0.9 * cityHash64(key, 'price') / 18446744073709551616 AS first_price,
        greatest(0.02, least(0.98, if(outcome = 0, first_price, 1 - first_price) * (0.85 + 0.3 * u('price')))) AS price,
        toUInt32(pow(5000, u('wallet'))) AS taker,
        -- of each maker: number, wallet, outcome, tokens, usdc; then also: the taker's usdc
        arrayMap(l -> (l.1, l.2, l.3, l.4, toUInt64(1 + l.4 * if(l.3 = outcome, price, 1 - price)), toUInt64(1 + l.4 * price)),
            arrayMap(i -> (
                toUInt32(i),
                toUInt32(pow(5000, u(i * 10 + 3))),
                toUInt8(if(u(i * 10 + 4) < if(buys, 0.7, 0.1), 1 - outcome, outcome)),
                toUInt64(1e6 * pow(500, u(i * 10 + 5)))),
                range(1, 2 + least(9, toUInt32(floor(-1.2 * log(1 - u('makers')))))))) AS legs,
        arrayConcat([(toUInt32(0), taker, outcome, arraySum(l -> l.4, legs), arraySum(l -> l.6, legs), toUInt64(0))], legs) AS halves
    FROM
    (
        SELECT
            cityHash64({seed:UInt64}, hour, n, 'trade') AS h,
            hour + toIntervalSecond(h % 3600) AS at,
            intDiv(toUnixTimestamp(at), 14400) - toUInt32(if(u('new') < 0.1, 6 * u('age'), 6 + 114 * u('age'))) AS slot,
            concat(toString({seed:UInt64}), '/clean/', toString(slot), '/', toString(cityHash64(h, 'rank') % 4)) AS key
        FROM {world:Identifier}.hours ARRAY JOIN range(transactions) AS n
        WHERE at >= {since:DateTime('UTC')} AND at < {until:DateTime('UTC')}
    )
)
ARRAY JOIN halves AS half
