-- Merge a partition to one part.
OPTIMIZE TABLE ${table} PARTITION ID '${partition}' FINAL
