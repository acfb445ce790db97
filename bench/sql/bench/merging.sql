-- How many merges are going on.
SELECT count() AS merges FROM system.merges
