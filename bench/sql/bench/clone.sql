-- A table as it is, in another database: hard links, no rows.
CREATE TABLE ${copy} CLONE AS ${table}
