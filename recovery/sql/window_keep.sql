-- List the identities of the window that the source has no right row for: their rows are carried over as they are.
INSERT INTO ${target} (share, id)
SELECT 0, id
FROM (${identities})
WHERE class IN ('orphan', 'unexpected', 'mixed')
