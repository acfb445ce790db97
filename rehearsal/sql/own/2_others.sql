-- The fills of the other sources, as they are stored: whatever they hold is right.
CREATE TABLE rehearsal.others
(
    fill_id String,
    event_time DateTime,
    block_number UInt64,
    tx_hash String,
    wallet String,
    condition_id String,
    outcome_index UInt8,
    tokens_delta Float64,
    usdc_delta Float64,
    source LowCardinality(String),
    is_self_fill UInt8,
    is_maker UInt8
)
ENGINE = MergeTree
ORDER BY (wallet, condition_id)
SETTINGS default_compression_codec = 'ZSTD(1)', old_parts_lifetime = 30
