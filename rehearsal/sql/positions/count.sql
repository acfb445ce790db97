-- How many rows the table of positions must hold.
SELECT count() FROM rehearsal.positions
