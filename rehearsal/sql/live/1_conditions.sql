-- Every tenth tick a new condition appears. The map learns of the even ones half a minute later, of the others only when
-- the rehearsal ends.
INSERT INTO rehearsal.conditions
SELECT
    'live', {now:DateTime('UTC')}, batch, {now:DateTime('UTC')} + toIntervalSecond(if(intDiv(batch, 10) % 2 = 0, 30, 864000)),
    lower(hex(SHA256(concat('condition/', key)))),
    arrayMap(i -> toString(reinterpretAsUInt256(SHA256(concat('token/', toString(i), '/', key)))), range(2)),
    0.05 + 0.9 * cityHash64(key, 'price') / 18446744073709551616
FROM
(
    SELECT {batch:UInt64} AS batch, concat(toString({seed:UInt64}), '/live/', toString(toDate({now:DateTime('UTC')})), '/', toString(batch)) AS key
)
WHERE batch % 10 = 0
