-- List the identities of one range of the sorting key that have a broken row in the window and a good row: what a DELETE may remove.
-- Shares are numbered from {first_share:UInt32} on.
INSERT INTO ${target} (share, id)
SELECT {first_share:UInt32} + share, id
FROM (${broken_identities})
WHERE good_rows > 0
