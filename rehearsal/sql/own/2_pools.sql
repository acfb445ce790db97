-- Groups of conditions by kind and day of creation. mapped_at is when the token map learns of them, 1970 = never.
CREATE TABLE rehearsal.pools
(
    kind LowCardinality(String),
    created Date,
    size UInt32,
    mapped_at DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY (kind, created)
