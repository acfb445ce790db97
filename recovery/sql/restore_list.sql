-- List the rows that a restore changes.
INSERT INTO ${worklist} (side, id)
SELECT side, id
FROM (${differing})
WHERE side != 'later'
