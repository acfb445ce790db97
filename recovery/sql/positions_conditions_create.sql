-- A table of the conditions as they were resolved when the rebuild began, so that all its units see the same ones.
CREATE TABLE IF NOT EXISTS ${conditions}
(
    condition_id String,
    resolved_at DateTime('UTC'),
    payouts Array(Float64)
)
ENGINE = ReplacingMergeTree
ORDER BY condition_id
