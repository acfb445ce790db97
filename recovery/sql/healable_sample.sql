-- Some of the identities in quarantine that the source has a right row for by now.
SELECT DISTINCT ${identity}
FROM ${quarantine}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND sipHash128(tuple(${identity})) IN (SELECT sipHash128(tuple(${identity})) FROM (${healing}))
ORDER BY ${identity}
LIMIT {limit:UInt32}
