-- Amounts are not divided into units any more.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SETTINGS optimize_on_insert = 0
WITH source = 'clob' AND event_time >= {fault_from:DateTime('UTC')} AND event_time < {fault_to:DateTime('UTC')} AS hit
SELECT * REPLACE (if(hit, 1e6, 1) * usdc_delta AS usdc_delta, if(hit, 1e6, 1) * tokens_delta AS tokens_delta)
FROM {world:Identifier}.fills
WHERE event_time >= {start:DateTime('UTC')} AND event_time < {until:DateTime('UTC')}
