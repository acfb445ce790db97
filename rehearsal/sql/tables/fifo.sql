-- Profit and loss of each lot, first in first out.
CREATE TABLE pm_trade_fifo_roi_v3
(
    tx_hash String,
    wallet LowCardinality(String),
    condition_id String,
    outcome_index UInt8,
    entry_time DateTime,
    tokens Float64,
    cost_usd Float64,
    tokens_sold_early Float64,
    tokens_held Float64,
    exit_value Float64,
    pnl_usd Float64,
    roi Float64,
    pct_sold_early Float64,
    is_maker UInt8,
    resolved_at DateTime,
    is_short UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(resolved_at)
ORDER BY (wallet, condition_id, outcome_index, tx_hash)
SETTINGS default_compression_codec = 'ZSTD(1)', old_parts_lifetime = 30
