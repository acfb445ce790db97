-- Which slices of the rows carry those that are wrong: per dimension and value how many rows, how many of them wrong, and the
-- first wrong one. The empty dimension is all of them together.
SELECT
    slice.1 AS dimension,
    slice.2 AS value,
    count() AS rows,
    countIf(is_wrong) AS wrong,
    minIf(at, is_wrong) AS first,
    argMinIf(position, at, is_wrong) AS first_position
FROM
(
    SELECT ${is_wrong} AS is_wrong, ${at} AS at, ${position} AS position, [('', '')${slices}] AS slices
    FROM ${guarded} AS looked_at ${traced}
    WHERE ${between}
)
ARRAY JOIN slices AS slice
GROUP BY dimension, value
ORDER BY dimension, wrong DESC, rows DESC
LIMIT 1000 BY dimension
SETTINGS ${cost}
