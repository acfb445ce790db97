-- Rows of the window in ${table} that are still to be removed, because the source has their right row.
SELECT count() AS left
FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned}
  AND ${version} < {before_version:UInt64}
  AND ${has_a_right_row}
