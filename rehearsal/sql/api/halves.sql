-- How many halves of trades there are: while there are no more, what was computed of them still holds.
SELECT count() FROM rehearsal.halves
