-- Events arrive, some of them hours late.
INSERT INTO {database:Identifier}.pm_trader_events_v3
    (event_id, trader_wallet, role, side, token_id, usdc_amount, token_amount, fee_amount, trade_time, transaction_hash, block_number, _version)
SELECT *
FROM events
WHERE trade_time + toIntervalSecond(if(trade_time >= {fault_from:DateTime('UTC')} AND trade_time < {fault_to:DateTime('UTC')}, {late:UInt32}, 0)) AS arrival
    >= {start:DateTime('UTC')} AND arrival < {until:DateTime('UTC')}
