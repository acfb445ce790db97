-- How many identities are broken in the window and have no other row in the affected partitions. Identities are told apart by 64 bits.
SELECT count() AS orphans
FROM
(
    SELECT sipHash64(tuple(${identity})) AS id
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)}
      AND sipHash64(tuple(${identity})) IN
      (
          SELECT sipHash64(tuple(${identity}))
          FROM ${table}
          WHERE _partition_id IN {partitions:Array(String)}
            AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
            AND ${owned} AND ${broken}
      )
    GROUP BY id
    HAVING countIf(NOT (${owned} AND ${broken})) = 0
)
