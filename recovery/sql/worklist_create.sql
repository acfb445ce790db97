-- A list of identities, in shares that each fit into memory.
CREATE TABLE ${target} (share UInt32, id FixedString(16)) ENGINE = MergeTree ORDER BY (share, id)
