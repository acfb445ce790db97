-- How many identities in quarantine the source has a right row for by now that the table does not have, for one range of its key.
SELECT uniqExact(${identity}) AS healable
FROM (${healing})
