-- The fills: the table that the incident broke.
CREATE TABLE pm_canonical_fills_v4
(
    fill_id String,
    event_time DateTime,
    block_number UInt64,
    tx_hash String,
    wallet LowCardinality(String),
    condition_id String,
    outcome_index UInt8,
    tokens_delta Float64,
    usdc_delta Float64,
    source LowCardinality(String),
    is_self_fill UInt8 DEFAULT 0,
    is_maker UInt8 DEFAULT 0,
    _version UInt64 DEFAULT toUnixTimestamp64Milli(now64())
)
ENGINE = ReplacingMergeTree(_version)
PARTITION BY toYYYYMM(event_time)
ORDER BY (wallet, condition_id, outcome_index, fill_id)
SETTINGS default_compression_codec = 'ZSTD(1)', old_parts_lifetime = 30
