-- How conditions end that the world knows, by time.
CREATE TABLE {world:Identifier}.resolutions
ENGINE = MergeTree
ORDER BY insert_time
SETTINGS index_granularity = 512
EMPTY AS SELECT * FROM {database:Identifier}.pm_condition_resolutions
