-- One row per transaction: when, and on which condition. A batch is what is inserted at a time.
CREATE TABLE rehearsal.transactions
(
    batch UInt64,
    n UInt64,
    at DateTime('UTC'),
    kind LowCardinality(String),
    created Date,
    rank UInt32
)
ENGINE = MergeTree
ORDER BY batch
