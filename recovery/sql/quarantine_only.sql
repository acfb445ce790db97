-- Identities of the window that are in quarantine and not in the table.
SELECT uniqExact(${identity}) AS identities
FROM ${quarantine}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND sipHash128(tuple(${identity})) NOT IN
  (
      SELECT sipHash128(tuple(${identity}))
      FROM ${table}
      WHERE sipHash128(tuple(${identity})) IN (SELECT sipHash128(tuple(${identity})) FROM ${quarantine})
  )
