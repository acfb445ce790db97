-- The table beside the broken one that keeps the orphans.
CREATE TABLE IF NOT EXISTS ${quarantine} AS ${table}
