-- What the incremental updater, with its fix, writes into pm_canonical_fills_v4: its own SELECT, without the version,
-- for a range of time and of the source's key in place of its watermark. scripts.check_writer compares it with others.
SELECT
    concat('clob_', event_id) AS fill_id,
    trade_time AS event_time,
    block_number,
    transaction_hash AS tx_hash,
    trader_wallet AS wallet,
    m.condition_id AS condition_id,
    m.outcome_index AS outcome_index,
    if(side = 'buy', token_amount, -token_amount) / 1e6 AS tokens_delta,
    if(side = 'buy', -usdc_amount, usdc_amount) / 1e6 AS usdc_delta,
    'clob' AS source,
    is_self AS is_self_fill,
    role = 'maker' AS is_maker
FROM
(
    SELECT *, uniqExact(role) OVER (PARTITION BY transaction_hash, trader_wallet) > 1 AS is_self
    FROM
    (
        SELECT * FROM pm_trader_events_v3
        WHERE event_id >= {key_from:String} AND event_id < {key_to:String}
          AND trade_time >= {time_from:DateTime('UTC')} AND trade_time < {time_to:DateTime('UTC')}
        ORDER BY _version DESC LIMIT 1 BY event_id
    )
) AS e
INNER JOIN (SELECT * FROM pm_token_to_condition_map_v5 FINAL WHERE condition_id != '') AS m
    ON e.token_id = m.token_id_dec
WHERE NOT (is_self AND role = 'maker')
