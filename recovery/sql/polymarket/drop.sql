-- Drop a table of the import's own.
DROP TABLE IF EXISTS ${target} SYNC
