-- What a table of positions holds by month of resolution: conditions, lots, shorts, and the rows that were resolved in another month
-- than their partition says. Conditions that were resolved from the cutoff on are counted apart.
SELECT
    _partition_id AS partition_id,
    uniqExactIf(condition_id, resolved_at < {cutoff:DateTime('UTC')}) AS conditions,
    countIf(is_short = 0 AND resolved_at < {cutoff:DateTime('UTC')}) AS longs,
    countIf(is_short = 1 AND resolved_at < {cutoff:DateTime('UTC')}) AS shorts,
    countIf(resolved_at >= {cutoff:DateTime('UTC')}) AS younger,
    countIf(toString(toYYYYMM(resolved_at, 'UTC')) != _partition_id) AS misplaced
FROM ${own_table} ${final}
GROUP BY 1
ORDER BY 1
