-- Remove the rows of the window, before the snapshot's are put back. Rows outside it are not touched.
DELETE FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
