-- Trades of the month before, on conditions that were resolved in it: buys that were held, by wallets that do
-- not trade any more. Their fills are not kept; the positions made of them are, and the outside world knows them.
INSERT INTO rehearsal.halves
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT
    4294967295, concat(tx_hash, '_0x', lower(hex(SHA256(tx_hash))), '-t'), tx_hash, at,
    {first_block:UInt64} - intDiv(dateDiff('second', at, toDateTime({month:Date}, 'UTC')), 2),
    concat('0x', lower(hex(SHA1(concat(toString({seed:UInt64}), '/settled/', toString(toUInt32(pow({rows:UInt64} / 120 + 2, u('wallet'))))))))),
    0, 1, 0, tokens[outcome + 1], condition_id, outcome, amount,
    toUInt64(1 + amount * if(outcome = 0, price, (1 - price) / (length(tokens) - 1))), 0, 'settled'
FROM
(
    SELECT
        condition_id, tokens, price,
        cityHash64({seed:UInt64}, condition_id, arrayJoin(range(20)), 'settled') AS h,
        concat('0x', lower(hex(SHA256(concat('settled/', toString(h)))))) AS tx_hash,
        toDateTime(created, 'UTC') + toIntervalSecond(h % greatest(1, dateDiff('second', toDateTime(created, 'UTC'), resolved_at))) AS at,
        toUInt8(cityHash64(h, 'outcome') % length(tokens)) AS outcome,
        toUInt64(1e6 * pow(500, u('tokens'))) AS amount
    FROM rehearsal.conditions
    INNER JOIN (SELECT condition_id, resolved_at FROM pm_condition_resolutions FINAL WHERE is_deleted = 0 AND payout_numerators != '') AS r USING (condition_id)
    WHERE kind = 'settled'
)
