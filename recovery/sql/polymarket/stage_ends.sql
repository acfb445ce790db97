-- When the market of a position ended.
CREATE TABLE ${stage_ends}
(
    condition_id String,
    ended UInt32
)
ENGINE = MergeTree
ORDER BY tuple()
