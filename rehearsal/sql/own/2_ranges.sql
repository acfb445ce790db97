-- The lots and the sells of some positions, each in the order of time: one is the tokens from `opened` to before `closed`
-- of all that the position bought, or sold. `earlier` is the money of those before it. Amounts in millionths.
CREATE TABLE rehearsal.ranges
(
    wallet String,
    condition_id String,
    outcome_index UInt8,
    is_lot UInt8,
    key String,
    at DateTime,
    is_maker UInt8,
    usdc Int64,
    earlier Int64,
    opened Int64,
    closed Int64,
    resolved_at DateTime,
    payout Float64
)
ENGINE = MergeTree
ORDER BY (is_lot, wallet, condition_id, outcome_index, opened)
SETTINGS old_parts_lifetime = 5
