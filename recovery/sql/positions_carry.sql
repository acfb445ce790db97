-- Rows of conditions that were resolved from the cutoff on are as they were: too young to be rebuilt.
INSERT INTO ${target}
SELECT *
FROM ${positions} FINAL
WHERE _partition_id IN {partitions:Array(String)} AND resolved_at >= {cutoff:DateTime('UTC')}
