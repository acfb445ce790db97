-- The truth: every half but the maker halves of self-fills, with its condition unless nobody will ever know it.
INSERT INTO rehearsal.truth
SELECT
    concat('clob_', event_id), at, block, tx_hash, wallet,
    if(class = 'orphan', '', condition_id),
    if(class = 'orphan', 0, outcome),
    if(is_buy, 1, -1) * (tokens / 1e6) AS tokens_delta,
    if(is_buy, -1, 1) * (usdc / 1e6) AS usdc_delta,
    'clob', is_self, is_maker, class
FROM rehearsal.halves
WHERE batch = {batch:UInt64} AND NOT (is_self AND is_maker)
