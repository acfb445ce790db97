-- What rows a table holds, by 128 bits of their content.
CREATE TABLE ${target} (hash FixedString(16)) ENGINE = MergeTree ORDER BY tuple()
