-- Fragment: the right rows of a range that the table does not hold with this content in a version from {since_version:UInt64} on.
-- The right rows of the range are the hashed side of the join, so memory is that of one unit.
SELECT unit.*
FROM
(
    SELECT sipHash128(tuple(${content})) AS stored_hash
    FROM ${table}
    WHERE _partition_id IN {partitions:Array(String)}
      AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
      AND ${owned} AND NOT ${broken}
      AND ${version} >= {since_version:UInt64}
) AS stored
RIGHT ANTI JOIN
(
    SELECT *, sipHash128(tuple(${content})) AS right_hash
    FROM (${right})
) AS unit ON stored.stored_hash = unit.right_hash
