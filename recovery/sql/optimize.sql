-- Merge one partition to one part: rows with equal keys become one, deleted rows leave the disk.
OPTIMIZE TABLE ${table} PARTITION ID '${partition}' FINAL
