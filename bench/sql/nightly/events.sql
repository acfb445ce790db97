-- The events of those halves that the source knows: one for each fill of the order book, 47 of 50.
INSERT INTO pm_trader_events_v3
    (event_id, trader_wallet, role, side, token_id, usdc_amount, token_amount, fee_amount, trade_time, transaction_hash,
     block_number, _version)
SELECT
    half,
    concat('0x', address),
    if(maker = 1, 'maker', 'taker'),
    if(buys, 'buy', 'sell'),
    toString(reinterpretAsUInt256(unhex(concat(substring(condition, 1, 62), if(outcome = 1, '01', '00'))))),
    paid,
    millionths,
    0,
    moment,
    transaction,
    66000000 + intDiv(toUnixTimestamp(moment) - 1767225600, 2),
    1767225600000 + n
FROM (${draw})
WHERE kind = 'clob'
