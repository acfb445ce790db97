-- The fills of the other sources: as stored they are right, whatever they hold. A few of one source have no condition.
INSERT INTO rehearsal.others
WITH (tag -> bitShiftRight(cityHash64(h, tag), 11) * exp2(-53)) AS u
SELECT
    concat(source, '_', tx_hash, '_', toString(n % 3)) AS fill_id,
    at, {first_block:UInt64} + intDiv(dateDiff('second', toDateTime({month:Date}, 'UTC'), at), 2) AS block_number,
    tx_hash,
    concat('0x', lower(hex(SHA1(concat(toString({seed:UInt64}), '/', toString(toUInt32(pow({rows:UInt64} / 12 + 2, u('wallet'))))))))) AS wallet,
    if(empty, '', c.condition_id),
    if(empty, 0, cityHash64(h, 'outcome') % 2),
    if(u('side') < 0.5, 1, -1) * round(1e6 * pow(500, u('tokens'))) / 1e6 AS tokens_delta,
    if(source = 'ctf_token', 0, if(u('side') < 0.5, -1, 1) * round(1e6 * pow(200, u('usdc'))) / 1e6) AS usdc_delta,
    source, 0, 0
FROM
(
    SELECT
        arrayJoin({other_sources:Array(String)}) AS source,
        arrayJoin(range(toUInt64(ceil(transactions * {other_share:Float64})))) AS n,
        cityHash64({seed:UInt64}, day, source, n) AS h,
        toDateTime(day, 'UTC') + toIntervalSecond(h % seconds) AS at,
        concat('0x', lower(hex(SHA256(concat(source, toString({seed:UInt64}), toString(day), toString(n)))))) AS tx_hash,
        source = {other_broken_source:String} AND new_share > 0 AND cityHash64(h, 'broken') % 1000 < {other_broken_per_mille:UInt32} AS empty,
        toUInt32(pow(pool.size + 1, u('condition'))) AS rank
    FROM rehearsal.days CROSS JOIN (SELECT size FROM rehearsal.pools WHERE kind = 'old') AS pool
) AS o
INNER JOIN (SELECT rank, condition_id FROM rehearsal.conditions WHERE kind = 'old') AS c USING (rank)
