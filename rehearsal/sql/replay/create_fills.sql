-- The fills that the world knows, by time.
CREATE TABLE {world:Identifier}.fills
ENGINE = MergeTree
ORDER BY event_time
SETTINGS index_granularity = 512
EMPTY AS SELECT * FROM {database:Identifier}.pm_canonical_fills_v4
