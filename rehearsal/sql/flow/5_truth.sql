-- What the table of fills must hold in the end: every half but the maker halves of self-fills, with its condition unless nobody
-- will ever know it, and the fills of other sources as they are stored. The class says how the row came to be:
-- clean (always right), broken (stored without condition, to be repaired), late (missed, as its token was mapped late),
-- orphan (stored without condition, its token is never mapped), foreign (of another source).
CREATE VIEW rehearsal.truth AS
SELECT
    concat('clob_', event_id) AS fill_id, toDateTime(at, 'UTC') AS event_time, block AS block_number, tx_hash, wallet,
    if(class = 'orphan', '', condition_id) AS condition_id, if(class = 'orphan', 0, outcome) AS outcome_index,
    if(is_buy, 1, -1) * (tokens / 1e6) AS tokens_delta, if(is_buy, -1, 1) * (usdc / 1e6) AS usdc_delta,
    'clob' AS source, is_self AS is_self_fill, is_maker, toString(class) AS class, id, content
FROM rehearsal.halves
WHERE class != 'settled' AND NOT (is_self AND is_maker)
UNION ALL
SELECT
    fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index, tokens_delta, usdc_delta, toString(source),
    is_self_fill, is_maker, 'foreign', cityHash64(fill_id),
    cityHash64(toUnixTimestamp(event_time), block_number, tx_hash, wallet, condition_id, outcome_index, tokens_delta, usdc_delta,
        toString(source), is_self_fill, is_maker)
FROM rehearsal.others
