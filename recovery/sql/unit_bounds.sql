-- Where to cut the source along its key: from a sample of one group in {one_of:UInt32}, every {step:UInt32}th group value.
-- A group is never split.
SELECT toString(bound) AS bound
FROM
(
    SELECT bound, row_number() OVER (ORDER BY bound) AS place
    FROM
    (
        SELECT DISTINCT ${group} AS bound
        FROM ${source}
        WHERE ${source_time} >= {time_from:DateTime('UTC')} AND ${source_time} < {time_to:DateTime('UTC')}
          AND sipHash64(${group}) % {one_of:UInt32} = 0
    )
)
WHERE place % {step:UInt32} = 0
ORDER BY bound
