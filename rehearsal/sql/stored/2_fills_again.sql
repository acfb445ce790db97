-- The updater reads its last blocks again: some rows are stored twice with equal keys, until a merge.
INSERT INTO pm_canonical_fills_v4
SELECT * REPLACE (_version + 300000 AS _version)
FROM pm_canonical_fills_v4
WHERE toDate(event_time, 'UTC') IN (SELECT day FROM rehearsal.days WHERE batch = {batch:UInt64})
  AND intDiv(block_number, 3000) % 14 = 3
