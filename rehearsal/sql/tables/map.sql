-- Which condition and outcome a token stands for.
CREATE TABLE pm_token_to_condition_map_v5
(
    token_id_dec String,
    condition_id String,
    outcome_index Int64,
    question String,
    category String
)
ENGINE = ReplacingMergeTree
ORDER BY token_id_dec
