-- The table that mirrors the ledgers of the incidents of this database, line by line.
CREATE TABLE IF NOT EXISTS ${ledger}
(
    incident String,
    seq UInt64,
    time DateTime64(3, 'UTC'),
    kind LowCardinality(String),
    sha FixedString(64),
    line String
)
ENGINE = ReplacingMergeTree
ORDER BY (incident, seq)
