-- The list of rows that a restore changes, by the hash of the whole row.
CREATE TABLE ${worklist} (side LowCardinality(String), id FixedString(16))
ENGINE = MergeTree
ORDER BY (side, id)
