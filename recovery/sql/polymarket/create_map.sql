-- The token map, as production has it.
CREATE TABLE IF NOT EXISTS ${target}
(
    token_id_dec String,
    condition_id String,
    outcome_index Int64,
    question String,
    category String
)
ENGINE = ReplacingMergeTree
ORDER BY token_id_dec
