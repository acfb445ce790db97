-- The conditions of each pool, with the tokens of their outcomes.
CREATE TABLE rehearsal.conditions
(
    kind LowCardinality(String),
    created Date,
    rank UInt32,
    mapped_at DateTime('UTC'),
    condition_id String,
    tokens Array(String),
    price Float64
)
ENGINE = MergeTree
ORDER BY (kind, created, rank)
