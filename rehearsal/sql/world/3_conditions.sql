-- Makes the conditions: two outcomes, a few with three.
INSERT INTO rehearsal.conditions
SELECT
    kind, created, rank, mapped_at,
    lower(hex(SHA256(concat('condition/', key)))) AS condition_id,
    arrayMap(i -> toString(reinterpretAsUInt256(SHA256(concat('token/', toString(i), '/', key)))),
             range(if(cityHash64(key) % 40 = 0, 3, 2))) AS tokens,
    0.05 + 0.9 * cityHash64(key, 'price') / 18446744073709551616 AS price
FROM
(
    SELECT kind, created, arrayJoin(range(1, size + 1)) AS rank, mapped_at,
           concat(toString({seed:UInt64}), '/', kind, '/', toString(created), '/', toString(rank)) AS key
    FROM rehearsal.pools
)
