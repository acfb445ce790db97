-- Fills of those halves, written as the backfill would.
INSERT INTO pm_canonical_fills_v4
    (fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index, tokens_delta, usdc_delta, source,
     is_self_fill, is_maker, _version)
SELECT
    concat(kind, '_', half),
    moment,
    66000000 + intDiv(toUnixTimestamp(moment) - 1767225600, 2),
    transaction,
    concat('0x', address),
    condition,
    outcome,
    if(kind = 'ctf_cash', 0, if(buys, toFloat64(millionths), -toFloat64(millionths)) / 1e6),
    if(kind = 'ctf_token', 0, if(buys, -toFloat64(paid), toFloat64(paid)) / 1e6),
    kind,
    0,
    maker,
    1767225600000 + n
FROM (${draw})
