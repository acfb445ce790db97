-- The fills of the other sources are stored as they are, some of them twice, as the updater reads its last blocks again.
INSERT INTO pm_canonical_fills_v4
SELECT
    fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index, tokens_delta, usdc_delta, source, is_self_fill, is_maker,
    1000 * (toUnixTimestamp(event_time) + 120 + cityHash64(tx_hash) % 480) + arrayJoin(if(intDiv(block_number, 3000) % 14 = 3, [0, 300000], [0])) AS _version
FROM rehearsal.others
SETTINGS optimize_on_insert = 0
