-- Conditions begin every four hours, four at a time, and are in the map from then on. Of those before the first day only
-- the last three weeks.
INSERT INTO {world:Identifier}.map
SELECT
    toString(reinterpretAsUInt256(SHA256(concat('token/', toString(outcome), '/', key)))) AS token_id_dec,
    lower(hex(SHA256(concat('condition/', key)))) AS condition_id,
    toInt64(outcome) AS outcome_index,
    concat('Question ', key, '?') AS question,
    arrayElement(['politics', 'sports', 'crypto', 'culture'], rank + 1) AS category,
    toDateTime(slot * 14400, 'UTC') AS mapped_at
FROM
(
    SELECT
        intDiv(toUnixTimestamp({until:DateTime('UTC')}) - 1, 14400) - arrayJoin(range(126)) AS slot,
        arrayJoin(range(4)) AS rank, arrayJoin(range(2)) AS outcome,
        concat(toString({seed:UInt64}), '/clean/', toString(slot), '/', toString(rank)) AS key
)
WHERE mapped_at >= {begin:DateTime('UTC')}
