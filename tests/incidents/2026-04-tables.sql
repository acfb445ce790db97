-- The tables of the second incident that the import does not make.
CREATE TABLE pm_wallet_fills_v1
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
ORDER BY (wallet, condition_id, outcome_index, fill_id);

CREATE TABLE pm_wallet_jobs_v1
(
    cron_name String,
    executed_at DateTime,
    status String
)
ENGINE = MergeTree
ORDER BY (cron_name, executed_at)
