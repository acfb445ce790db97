-- The halves of trades as they are made. Nothing is kept here: each block goes on to the tables that follow from it.
CREATE TABLE rehearsal.made
(
    batch UInt64,
    n UInt64,
    half UInt8,
    at DateTime('UTC'),
    block UInt64,
    tx_hash String,
    event_id String,
    wallet String,
    is_maker UInt8,
    is_buy UInt8,
    is_self UInt8,
    kind LowCardinality(String),
    created Date,
    rank UInt32,
    token String,
    condition_id String,
    outcome UInt8,
    tokens UInt64,
    usdc UInt64,
    fee UInt64,
    class LowCardinality(String)
)
ENGINE = Null
