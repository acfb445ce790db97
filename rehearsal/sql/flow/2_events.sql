-- Every half is an event of the source; some came twice, with equal content and a higher version.
CREATE MATERIALIZED VIEW rehearsal.made_events TO pm_trader_events_v3 AS
SELECT
    event_id, wallet AS trader_wallet, if(is_maker, 'maker', 'taker') AS role, if(is_buy, 'buy', 'sell') AS side, token AS token_id,
    usdc AS usdc_amount, tokens AS token_amount, fee AS fee_amount, at AS trade_time, tx_hash AS transaction_hash, block AS block_number,
    arrayJoin(range(1, if(cityHash64(event_id) % 100 = 0, 3, 2))) AS _version
FROM rehearsal.made
