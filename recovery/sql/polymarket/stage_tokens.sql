-- Tokens as the file has them; the payout of an unresolved one is NULL.
CREATE TABLE ${stage_tokens}
(
    token_id String,
    condition_id String,
    outcome_index Int16,
    payout Nullable(Float64)
)
ENGINE = MergeTree
ORDER BY tuple()
