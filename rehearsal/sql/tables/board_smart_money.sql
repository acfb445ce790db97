-- A board of the application: the top 100.
CREATE TABLE pm_smart_money_cache
(
    wallet String,
    rank UInt32,
    total_pnl Float64,
    win_rate Float64,
    trades UInt64,
    updated_at DateTime
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY rank
