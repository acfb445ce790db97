-- An empty table of the same structure.
CREATE TABLE ${target} AS ${table}
