-- A table that takes what is inserted into the fills while a partition is replaced.
CREATE TABLE IF NOT EXISTS ${late} AS ${table}
