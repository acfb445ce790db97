-- The right rows of pm_canonical_fills_v4, from its source, for a range of time and of the source's key.
-- One row per event whose token the map knows. A wallet that is maker and taker in one transaction trades with
-- itself: its rows are marked and the maker half is left out. A range of the key holds whole transactions.
SELECT
    concat('clob_', event_id) AS fill_id,
    trade_time AS event_time,
    block_number,
    transaction_hash AS tx_hash,
    trader_wallet AS wallet,
    condition_id,
    toUInt8(outcome_index) AS outcome_index,
    if(side = 'buy', token_amount, -token_amount) / 1e6 AS tokens_delta,
    if(side = 'buy', -usdc_amount, usdc_amount) / 1e6 AS usdc_delta,
    'clob' AS source,
    toUInt8(has_maker AND has_taker) AS is_self_fill,
    toUInt8(role = 'maker') AS is_maker
FROM
(
    SELECT
        *,
        max(role = 'maker') OVER (PARTITION BY transaction_hash, trader_wallet) AS has_maker,
        max(role = 'taker') OVER (PARTITION BY transaction_hash, trader_wallet) AS has_taker
    FROM pm_trader_events_v3 FINAL
    WHERE event_id >= {key_from:String} AND event_id < {key_to:String}
      AND trade_time >= {time_from:DateTime('UTC')} AND trade_time < {time_to:DateTime('UTC')}
) AS events
INNER JOIN
(
    SELECT token_id_dec, condition_id, outcome_index
    FROM pm_token_to_condition_map_v5 FINAL
    WHERE condition_id != ''
) AS map ON events.token_id = map.token_id_dec
WHERE NOT (has_maker AND has_taker AND role = 'maker')
