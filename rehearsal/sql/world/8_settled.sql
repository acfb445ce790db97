-- Trades of the month before, on conditions that were resolved in it: buys that were held, by wallets that do
-- not trade any more. Their fills are not kept; the positions made of them are, and the outside world knows them.
INSERT INTO rehearsal.halves (wallet, kind, created, rank, outcome, batch, n, half, at, is_buy, is_self, tokens, usdc, fee, class)
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT
    concat('0x', lower(hex(SHA1(concat(toString({seed:UInt64}), '/settled/', toString(toUInt32(pow({rows:UInt64} / 120 + 2, u('wallet'))))))))),
    'settled', created, rank, outcome, 4294967295, h, 0, at, 1, 0, amount,
    toUInt64(1 + amount * if(outcome = 0, price, (1 - price) / (length(tokens) - 1))), 0, 'settled'
FROM
(
    SELECT
        created, rank, tokens, price,
        cityHash64({seed:UInt64}, condition_id, arrayJoin(range(20)), 'settled') AS h,
        toDateTime(created, 'UTC') + toIntervalSecond(h % greatest(1, dateDiff('second', toDateTime(created, 'UTC'), resolved_at))) AS at,
        toUInt8(cityHash64(h, 'outcome') % length(tokens)) AS outcome,
        toUInt64(1e6 * pow(500, u('tokens'))) AS amount
    FROM rehearsal.conditions
    INNER JOIN (SELECT condition_id, resolved_at FROM pm_condition_resolutions FINAL WHERE is_deleted = 0 AND payout_numerators != '') AS r USING (condition_id)
    WHERE kind = 'settled'
)
