-- Fills of tokens that the map does not know wait.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SELECT *
FROM fills
WHERE NOT (source = 'clob' AND event_time >= {fault_from:DateTime('UTC')} AND event_time < {fault_to:DateTime('UTC')}
    AND condition_id != '' AND condition_id NOT IN (SELECT condition_id FROM {database:Identifier}.pm_token_to_condition_map_v5))
