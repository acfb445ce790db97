-- The generator's own record of every half of every trade, with what it knows about it. Amounts in millionths.
CREATE TABLE rehearsal.halves
(
    batch UInt64,
    event_id String,
    tx_hash String,
    at DateTime('UTC'),
    block UInt64,
    wallet String,
    is_maker UInt8,
    is_buy UInt8,
    is_self UInt8,
    token String,
    condition_id String,
    outcome UInt8,
    tokens UInt64,
    usdc UInt64,
    fee UInt64,
    class LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY batch
