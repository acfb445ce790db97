-- How far each source has been read.
CREATE TABLE pm_ingest_watermarks_v1
(
    source String,
    last_block_number UInt64,
    last_event_time DateTime,
    rows_processed UInt64,
    updated_at DateTime
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY source
