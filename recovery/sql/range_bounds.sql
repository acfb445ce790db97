-- Where to cut the table along its sorting key: every {step:UInt32}th of one row in {every:UInt32}, and how often it would be cut
-- within one value.
SELECT toString(lead) AS bound, count() AS slices
FROM
(
    SELECT ${lead} AS lead, row_number() OVER (ORDER BY lead) AS place
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)} AND _part_offset % {every:UInt32} = 0
)
WHERE place % {step:UInt32} = 0
GROUP BY lead
ORDER BY lead
