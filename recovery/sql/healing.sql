-- Fragment: right rows of identities that are in quarantine, which the table does not hold with this content.
SELECT *
FROM (${right})
WHERE sipHash128(tuple(${identity})) IN
  (
      SELECT sipHash128(tuple(${identity})) FROM ${quarantine}
      WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  )
  AND sipHash128(tuple(${content})) NOT IN
  (
      SELECT sipHash128(tuple(${content}))
      FROM ${table}
      WHERE _partition_id IN {partitions:Array(String)}
        AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        AND ${owned} AND NOT ${broken}
        AND sipHash128(tuple(${identity})) IN (SELECT sipHash128(tuple(${identity})) FROM ${quarantine})
  )
