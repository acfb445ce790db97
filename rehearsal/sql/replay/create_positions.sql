-- The positions that the world knows, by when they are computed: when a condition is resolved, and of what is bought afterwards at once.
CREATE TABLE {world:Identifier}.positions
ENGINE = MergeTree
ORDER BY greatest(resolved_at + INTERVAL 10 MINUTE, entry_time)
SETTINGS index_granularity = 512
EMPTY AS SELECT * FROM {database:Identifier}.pm_trade_fifo_roi_v3
