-- All lines of an incident's ledger that the mirror has.
SELECT toInt64(seq) AS seq, any(line) AS line
FROM ${ledger}
WHERE incident = {incident:String}
GROUP BY seq
ORDER BY seq
