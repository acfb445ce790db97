-- How many resolved conditions with fills each UTC day has, and how many of them have a lot that makes a row.
SELECT
    toString(day) AS day,
    count() AS conditions,
    countIf(dearest_lot >= {least_cost:Float64}) AS expected
FROM (${resolved_fills})
GROUP BY day
ORDER BY day
