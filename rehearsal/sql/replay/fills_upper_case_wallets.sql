-- Wallets are spelled another way.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SETTINGS optimize_on_insert = 0
WITH source = 'clob' AND event_time >= {fault_from:DateTime('UTC')} AND event_time < {fault_to:DateTime('UTC')} AS hit
SELECT * REPLACE (if(hit, upper(wallet), toString(wallet)) AS wallet)
FROM {world:Identifier}.fills
WHERE event_time >= {start:DateTime('UTC')} AND event_time < {until:DateTime('UTC')}
