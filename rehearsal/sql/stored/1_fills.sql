-- What production stored: without condition where the token was not mapped yet, nothing where the fixed writer missed it.
INSERT INTO pm_canonical_fills_v4
SELECT
    fill_id, event_time, block_number, tx_hash, wallet,
    if(class = 'broken', '', condition_id),
    if(class = 'broken', 0, outcome_index),
    tokens_delta, usdc_delta, source, is_self_fill, is_maker,
    1000 * (toUnixTimestamp(event_time) + 120 + cityHash64(tx_hash) % 480) AS _version
FROM rehearsal.truth
WHERE toDate(event_time, 'UTC') IN (SELECT day FROM rehearsal.days WHERE batch = {batch:UInt64}) AND class != 'late'
