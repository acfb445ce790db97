-- Makes the halves of the transactions of a batch: one taker order against 1 to 10 maker orders.
-- A maker trades the same outcome the other way round, or, where a condition has two outcomes, the other outcome the
-- same way. Wallets are drawn with a strong skew; who comes up as maker and taker of one transaction trades with itself.
INSERT INTO rehearsal.made
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT
    batch, n, half.1, at,
    {first_block:UInt64} + intDiv(dateDiff('second', toDateTime({month:Date}, 'UTC'), at), 2) AS block,
    tx_hash,
    concat(tx_hash, '_0x', lower(hex(SHA256(concat(tx_hash, toString(half.1))))), if(half.1 > 0, '-m', '-t')) AS event_id,
    if(half.2 = 0, {test_wallet:String}, concat('0x', lower(hex(SHA1(concat(toString({seed:UInt64}), '/', toString(half.2))))))) AS wallet,
    half.1 > 0 AS is_maker,
    if(half.1 = 0 OR half.6 = 1, buys, NOT buys) AS is_buy,
    has(arrayMap(l -> l.2, legs), taker) AND half.2 = taker AS is_self,
    kind, created, rank,
    tokens[half.3 + 1] AS token,
    condition_id,
    half.3 AS outcome,
    half.4 AS tokens_amount,
    half.5 AS usdc,
    if(half.1 = 0 AND h % 10 = 0, intDiv(half.5, 500), 0) AS fee,
    multiIf(mapped_at = 0, 'orphan', at >= mapped_at, 'clean', at < {fixed_at:DateTime('UTC')}, 'broken', 'late') AS class
FROM
(
    SELECT
        t.batch AS batch, t.n AS n, t.at AS at, t.kind AS kind, t.created AS created, t.rank AS rank, c.condition_id AS condition_id, c.tokens AS tokens, c.mapped_at AS mapped_at,
        cityHash64({seed:UInt64}, t.batch, t.n, 'trade') AS h,
        concat('0x', lower(hex(SHA256(concat('tx/', toString({seed:UInt64}), '/', toString(t.batch), '/', toString(t.n)))))) AS tx_hash,
        u('side') < 0.75 AS buys,
        toUInt8(cityHash64(h, 'outcome') % length(c.tokens)) AS outcome,
        at >= {test_start:DateTime('UTC')} AND at < {test_end:DateTime('UTC')} AS test_days,
        {rows:UInt64} / 12 + 2 AS wallets,
        toUInt32(if(test_days AND u('test') < 0.03, 0, pow(wallets, u('wallet')))) AS taker,
        greatest(0.02, least(0.98, if(outcome = 0, c.price, (1 - c.price) / (length(c.tokens) - 1)) * (0.85 + 0.3 * u('price')))) AS price,
        -- of each maker: number, wallet, outcome, tokens; then also: usdc, whether it trades the other outcome, the taker's usdc
        arrayMap(i -> (
            i,
            toUInt32(multiIf(test_days AND u(i * 10 + 1) < 0.015, 0, u(i * 10 + 2) < 0.04, 1, pow(wallets, u(i * 10 + 3)))),
            toUInt8(if(length(c.tokens) = 2 AND u(i * 10 + 4) < if(buys, 0.7, 0.1), 1 - outcome, outcome)),
            toUInt64(1e6 * pow(500, u(i * 10 + 5)))),
            range(1, 2 + least(9, toUInt32(floor(-1.2 * log(1 - u('makers'))))))) AS drawn,
        arrayMap(l -> (
            toUInt32(l.1), l.2, l.3, l.4,
            toUInt64(1 + l.4 * if(l.3 = outcome, price, 1 - price)),
            l.3 != outcome,
            toUInt64(1 + l.4 * price)),
            drawn) AS legs,
        arrayConcat([(toUInt32(0), taker, outcome, arraySum(l -> l.4, legs), arraySum(l -> l.7, legs), false, toUInt64(0))], legs) AS halves
    FROM rehearsal.transactions AS t
    INNER JOIN rehearsal.conditions AS c ON t.kind = c.kind AND t.created = c.created AND t.rank = c.rank
    WHERE t.batch = {batch:UInt64}
)
ARRAY JOIN halves AS half
SETTINGS optimize_on_insert = 0
