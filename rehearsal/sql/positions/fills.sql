-- How many fills the truth holds, to work in parts.
SELECT count() FROM rehearsal.truth
