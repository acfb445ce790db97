-- Rows of the window that are stored, and how many of them merges would leave.
SELECT
    (SELECT count() FROM ${table} WHERE _partition_id IN {partitions:Array(String)}
        AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}) AS rows,
    (SELECT count() FROM ${table} ${final} WHERE _partition_id IN {partitions:Array(String)}
        AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}) AS merged
