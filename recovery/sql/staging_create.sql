-- An empty table of the same structure, for rows that are not all there yet.
CREATE TABLE ${target} AS ${table}
