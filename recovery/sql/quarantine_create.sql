-- The table beside the broken one that keeps the orphans. Nothing merges away in it.
CREATE TABLE IF NOT EXISTS ${quarantine} AS ${table}
ENGINE = MergeTree
PARTITION BY ${partition_key}
ORDER BY (${identity})
SETTINGS allow_nullable_key = 1
