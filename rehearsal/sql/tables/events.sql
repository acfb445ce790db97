-- The source: one row per half of a trade. Money and shares in millionths.
CREATE TABLE pm_trader_events_v3
(
    event_id String,
    trader_wallet String,
    role String,
    side String,
    token_id String,
    usdc_amount Float64,
    token_amount Float64,
    fee_amount Float64,
    trade_time DateTime,
    transaction_hash String,
    block_number UInt64,
    trade_date Date MATERIALIZED toDate(trade_time),
    _version UInt64 DEFAULT 1
)
ENGINE = ReplacingMergeTree(_version)
PARTITION BY toYYYYMM(trade_time)
ORDER BY event_id
SETTINGS default_compression_codec = 'ZSTD(1)', old_parts_lifetime = 30
