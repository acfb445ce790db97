-- Insert the right rows of one unit that the table was found not to hold. They are the hashed side of the join, so memory is that of
-- one unit.
INSERT INTO ${target} (${content})
SELECT ${content}
FROM (SELECT hash AS stored_hash FROM ${held}) AS stored
RIGHT ANTI JOIN
(
    SELECT *, sipHash128(tuple(${content})) AS right_hash
    FROM (${right})
) AS unit ON stored.stored_hash = unit.right_hash
