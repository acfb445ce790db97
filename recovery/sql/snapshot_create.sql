-- An empty table of the same structure, for the snapshot.
CREATE TABLE ${snapshot} AS ${table}
