-- Stop taking what is inserted.
DROP VIEW IF EXISTS ${catch} SYNC
