-- The map that the world knows, with when it learns of each token.
CREATE TABLE {world:Identifier}.map
(
    token_id_dec String,
    condition_id String,
    outcome_index Int64,
    question String,
    category String,
    mapped_at DateTime('UTC')
)
ENGINE = MergeTree
ORDER BY mapped_at
