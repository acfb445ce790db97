-- Drop a table of the suite's own.
DROP TABLE IF EXISTS ${own_table} SYNC
