-- Remove exactly the superseded rows of one share.
DELETE FROM ${table}
WHERE ${superseded}
