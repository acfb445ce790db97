-- The days to generate: how many transactions, over how many seconds, and how much of them is on new tokens.
CREATE TABLE rehearsal.days
(
    day Date,
    batch UInt64,
    transactions UInt64,
    seconds UInt32,
    new_share Float64
)
ENGINE = MergeTree
ORDER BY day
