-- The resolved conditions that have a lot which makes a row, and none among the positions, by UTC day: how many, and ten of them.
SELECT
    toString(day) AS day,
    count() AS missing,
    groupArraySorted(10)(concat(condition, ', fills: ', toString(fills))) AS sample
FROM (${resolved_fills}) AS filled
LEFT ANTI JOIN
(
    SELECT DISTINCT condition_id AS condition
    FROM ${positions}
) AS present USING (condition)
WHERE dearest_lot >= {least_cost:Float64}
GROUP BY day
ORDER BY day
