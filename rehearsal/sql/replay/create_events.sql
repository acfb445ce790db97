-- The events that the world knows, by time.
CREATE TABLE {world:Identifier}.events
ENGINE = MergeTree
ORDER BY trade_time
SETTINGS index_granularity = 512
EMPTY AS SELECT * FROM {database:Identifier}.pm_trader_events_v3
