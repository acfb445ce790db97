-- List the rows that a restore changes and leaves.
INSERT INTO ${worklist} (side, id, identity)
SELECT side, id, identity
FROM (${differing})
