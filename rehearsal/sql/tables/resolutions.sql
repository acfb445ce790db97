-- How a condition ended: payout_numerators is '[1,0]', '[0,1]', '[1,1]', or '' while unresolved.
CREATE TABLE pm_condition_resolutions
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
