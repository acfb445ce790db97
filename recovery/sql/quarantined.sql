-- Fragment, a condition: a broken row of the window that is in quarantine with the very same content.
_partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned} AND ${broken}
  AND sipHash128(tuple(${content})) IN (SELECT sipHash128(tuple(${content})) FROM ${quarantine})
