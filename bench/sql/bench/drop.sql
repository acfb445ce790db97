-- Drop a database of the benchmark, at once.
DROP DATABASE IF EXISTS ${database} SYNC
