-- Identities in quarantine, and how many of them the source has a right row for by now that the table does not have.
SELECT
    uniqExact(id) AS identities,
    uniqExactIf(id, id IN (SELECT sipHash128(tuple(${identity})) FROM (${lacking}))) AS healable
FROM
(
    SELECT sipHash128(tuple(${identity})) AS id
    FROM ${quarantine}
    WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
)
