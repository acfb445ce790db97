-- The last line of an incident's ledger that the mirror has.
SELECT toInt64(seq) AS seq, toString(sha) AS sha
FROM ${ledger}
WHERE incident = {incident:String}
ORDER BY seq DESC
LIMIT 1
