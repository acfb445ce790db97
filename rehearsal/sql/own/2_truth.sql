-- What the table of fills must hold in the end. The class says how the row came to be:
-- clean (always right), broken (stored without condition, to be repaired), late (missed, as its token was mapped late),
-- orphan (stored without condition, its token is never mapped), foreign (of another source, as stored).
CREATE TABLE rehearsal.truth
(
    fill_id String,
    event_time DateTime,
    block_number UInt64,
    tx_hash String,
    wallet String,
    condition_id String,
    outcome_index UInt8,
    tokens_delta Float64,
    usdc_delta Float64,
    source LowCardinality(String),
    is_self_fill UInt8,
    is_maker UInt8,
    class LowCardinality(String)
)
ENGINE = MergeTree
ORDER BY event_time
