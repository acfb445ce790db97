-- Fragment: rows outside the window that were in the table just before a restore and are not in the snapshot.
SELECT ${stored}
FROM ${current}
WHERE _partition_id IN {partitions:Array(String)}
  AND NOT (${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')})
  AND sipHash128(${stored}) NOT IN
  (
      SELECT sipHash128(${stored})
      FROM ${snapshot}
      WHERE _partition_id IN {partitions:Array(String)}
        AND NOT (${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')})
  )
