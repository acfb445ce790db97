-- Fills as a file has them. A token, condition or transaction that it lacks is '', an outcome -1, an amount NULL.
CREATE TABLE ${stage_fills}
(
    origin LowCardinality(String),
    tx_hash String,
    wallet String,
    side String,
    token_id String,
    condition_id String,
    outcome_index Int16,
    size Float64,
    price Float64,
    usdc Nullable(Float64),
    ts UInt32,
    title String
)
ENGINE = MergeTree
ORDER BY tuple()
