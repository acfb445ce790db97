-- Copy the orphans that are not in quarantine yet.
INSERT INTO ${quarantine} (${stored})
SELECT ${stored}
FROM (${orphans})
WHERE sipHash128(tuple(${content})) NOT IN (SELECT sipHash128(tuple(${content})) FROM ${quarantine})
