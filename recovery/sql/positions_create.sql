-- An empty table of the same structure as the positions.
CREATE TABLE IF NOT EXISTS ${target} AS ${positions}
