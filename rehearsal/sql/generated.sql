-- The last step of the generation: where this is, everything before it is there too.
CREATE TABLE rehearsal.generated ENGINE = MergeTree ORDER BY tuple() AS
SELECT {rows:UInt64} AS rows, {seed:UInt64} AS seed, {days:UInt32} AS days
