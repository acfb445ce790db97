-- Every half of every trade, in numbers; what is a text in the tables of the incident is computed of them again when it is
-- asked for. `id` and `content` are 64-bit hashes: of the fill that is made of the half, and of all its columns but the
-- version. Amounts in millionths.
CREATE TABLE rehearsal.halves
(
    wallet String,
    kind LowCardinality(String),
    created Date,
    rank UInt32,
    outcome UInt8,
    batch UInt64,
    n UInt64 CODEC(NONE),
    half UInt8,
    at DateTime('UTC') CODEC(NONE),
    is_buy UInt8,
    is_self UInt8,
    tokens UInt64,
    usdc UInt64,
    fee UInt64,
    class LowCardinality(String),
    id UInt64 CODEC(NONE),
    content UInt64 CODEC(NONE),
    is_maker UInt8 ALIAS half > 0,
    block UInt64 ALIAS {first_block:UInt64} + intDiv(dateDiff('second', toDateTime({month:Date}, 'UTC'), at), 2),
    tx_hash String ALIAS concat('0x', lower(hex(SHA256(concat('tx/', toString({seed:UInt64}), '/', toString(batch), '/', toString(n)))))),
    event_id String ALIAS concat(tx_hash, '_0x', lower(hex(SHA256(concat(tx_hash, toString(half))))), if(is_maker, '-m', '-t')),
    condition_id String ALIAS lower(hex(SHA256(concat('condition/', toString({seed:UInt64}), '/', kind, '/', toString(created), '/', toString(rank)))))
)
ENGINE = MergeTree
ORDER BY (wallet, kind, created, rank, outcome)
SETTINGS default_compression_codec = 'ZSTD(1)', old_parts_lifetime = 30
