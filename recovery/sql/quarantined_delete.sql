-- Remove from the table the orphans that are in quarantine.
DELETE FROM ${table}
WHERE ${quarantined}
