-- Every half is an event of the source.
INSERT INTO pm_trader_events_v3
    (event_id, trader_wallet, role, side, token_id, usdc_amount, token_amount, fee_amount, trade_time, transaction_hash, block_number)
SELECT event_id, wallet, if(is_maker, 'maker', 'taker'), if(is_buy, 'buy', 'sell'), token, usdc, tokens, fee, at, tx_hash, block
FROM rehearsal.halves
WHERE batch = {batch:UInt64}
