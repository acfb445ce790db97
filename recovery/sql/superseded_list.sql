-- List the identities that have a broken row in the window and a good row: what a DELETE may remove.
INSERT INTO ${worklist} (share, id)
SELECT share, id
FROM (${broken_identities})
WHERE good_rows > 0
