-- The right rows of pm_wallet_fills_v1, from its source, for a range of time and of the source's key.
-- One row per event whose token the map knows; the wallet's events are a taker's, so none is half of a self-fill.
WITH
    mapped AS
    (
        SELECT token_id_dec AS token_id, condition_id, toUInt8(outcome_index) AS outcome_index
        FROM pm_wallet_tokens_v1 FINAL
        WHERE condition_id != ''
    ),
    traded AS
    (
        SELECT *, if(side = 'buy', 1, -1) / 1e6 AS sign
        FROM pm_wallet_events_v1 FINAL
        WHERE event_id >= {key_from:String} AND event_id < {key_to:String}
          AND trade_time >= {time_from:DateTime('UTC')} AND trade_time < {time_to:DateTime('UTC')}
    )
SELECT
    concat('api_', event_id) AS fill_id,
    trade_time AS event_time,
    block_number,
    transaction_hash AS tx_hash,
    trader_wallet AS wallet,
    condition_id,
    outcome_index,
    sign * token_amount AS tokens_delta,
    -sign * usdc_amount AS usdc_delta,
    'data_api' AS source,
    toUInt8(0) AS is_self_fill,
    toUInt8(role = 'maker') AS is_maker
FROM traded
INNER JOIN mapped USING (token_id)
