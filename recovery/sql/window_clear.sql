-- Remove from ${table} what is to be written anew: owned rows of the window from before the action, but for the listed ones.
DELETE FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
  AND ${owned}
  AND ${version} < {before_version:UInt64}
  AND sipHash128(tuple(${identity})) NOT IN (SELECT id FROM ${worklist})
