-- Events arrive.
INSERT INTO {database:Identifier}.pm_trader_events_v3
    (event_id, trader_wallet, role, side, token_id, usdc_amount, token_amount, fee_amount, trade_time, transaction_hash, block_number, _version)
SETTINGS optimize_on_insert = 0
SELECT *
FROM {world:Identifier}.events
WHERE trade_time >= {start:DateTime('UTC')} AND trade_time < {until:DateTime('UTC')}
