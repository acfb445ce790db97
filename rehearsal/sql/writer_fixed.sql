-- The incremental updater, as it should be: fills of tokens that the map does not know yet wait.
INSERT INTO pm_canonical_fills_v4
SELECT
    concat('clob_', event_id), trade_time, block_number, transaction_hash, trader_wallet,
    m.condition_id, m.outcome_index,
    if(side = 'buy', token_amount, -token_amount) / 1e6,
    if(side = 'buy', -usdc_amount, usdc_amount) / 1e6,
    'clob', is_self, role = 'maker',
    toUnixTimestamp({now:DateTime('UTC')}) * 1000
FROM
(
    SELECT *, uniqExact(role) OVER (PARTITION BY transaction_hash, trader_wallet) > 1 AS is_self
    FROM
    (
        SELECT * FROM pm_trader_events_v3
        WHERE block_number + 3000 > (SELECT argMax(last_block_number, updated_at) FROM pm_ingest_watermarks_v1 WHERE source = 'clob')
          AND trade_time > (SELECT argMax(last_event_time, updated_at) FROM pm_ingest_watermarks_v1 WHERE source = 'clob') - INTERVAL 3 HOUR
        ORDER BY _version DESC LIMIT 1 BY event_id
    )
) AS e
INNER JOIN (SELECT * FROM pm_token_to_condition_map_v5 FINAL WHERE condition_id != '') AS m ON e.token_id = m.token_id_dec
WHERE NOT (is_self AND role = 'maker')
