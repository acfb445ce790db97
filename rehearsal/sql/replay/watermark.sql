-- The updater has read every event that is there.
INSERT INTO {database:Identifier}.pm_ingest_watermarks_v1
SELECT 'clob', max(block_number), max(trade_time), count(), {until:DateTime('UTC')}
FROM {database:Identifier}.pm_trader_events_v3
