-- How many rows the affected partitions and the source's window have.
SELECT
    (SELECT count() FROM ${table} WHERE _partition_id IN {partitions:Array(String)})
    + (SELECT count() FROM ${source}
       WHERE ${source_time} >= {time_from:DateTime('UTC')} AND ${source_time} < {time_to:DateTime('UTC')}) AS rows
