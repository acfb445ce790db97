-- Orphans in the table, and how many of them are not in quarantine with the very same content.
SELECT
    count() AS orphans,
    countIf(sipHash128(tuple(${content})) NOT IN (SELECT sipHash128(tuple(${content})) FROM ${quarantine})) AS left
FROM (${orphans})
