-- Remove exactly the superseded rows, where they were found to lie. A part that was merged or changed since has another name, so
-- that nothing of it is removed.
DELETE FROM ${table}
WHERE _partition_id IN {partitions:Array(String)}
  AND _part IN {parts:Array(String)}
  AND bitmapContains((SELECT groupBitmapMergeState(places) FROM ${worklist}), ${place_in_parts})
  AND ${owned} AND ${broken}
