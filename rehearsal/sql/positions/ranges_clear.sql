-- Lots and sells are those of one part of the positions at a time.
TRUNCATE TABLE rehearsal.ranges
