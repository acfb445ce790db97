-- What production stored: without condition where the token was not mapped yet, nothing where the fixed writer missed it. The
-- updater reads its last blocks again: some rows are stored twice with equal keys, until a merge.
CREATE MATERIALIZED VIEW rehearsal.made_fills TO pm_canonical_fills_v4 AS
SELECT
    concat('clob_', event_id) AS fill_id, at AS event_time, block AS block_number, tx_hash, wallet,
    if(class IN ('broken', 'orphan'), '', condition_id) AS condition_id,
    if(class IN ('broken', 'orphan'), 0, outcome) AS outcome_index,
    if(is_buy, 1, -1) * (tokens / 1e6) AS tokens_delta,
    if(is_buy, -1, 1) * (usdc / 1e6) AS usdc_delta,
    'clob' AS source, is_self AS is_self_fill, is_maker,
    1000 * (toUnixTimestamp(at) + 120 + cityHash64(tx_hash) % 480) + arrayJoin(if(intDiv(block, 3000) % 14 = 3, [0, 300000], [0])) AS _version
FROM rehearsal.made
WHERE NOT (is_self AND is_maker) AND class != 'late'
