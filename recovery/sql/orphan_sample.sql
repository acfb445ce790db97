-- Some identities of one range of the sorting key that are broken in the window and have no good row.
SELECT DISTINCT ${identity}
FROM (${orphans})
ORDER BY ${identity}
LIMIT {limit:UInt32}
