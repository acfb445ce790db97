-- Some of the orphans in quarantine.
SELECT ${identity}, ${time}, ${subject}
FROM ${quarantine}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
ORDER BY ${identity}
LIMIT {limit:UInt32}
