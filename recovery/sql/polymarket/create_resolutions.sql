-- The resolutions, as production has them.
CREATE TABLE IF NOT EXISTS ${target}
(
    condition_id String,
    payout_numerators String,
    payout_denominator String,
    resolved_at DateTime,
    insert_time DateTime,
    is_deleted UInt8
)
ENGINE = ReplacingMergeTree
ORDER BY condition_id
