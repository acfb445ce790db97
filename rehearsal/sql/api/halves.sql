-- How many halves of trades a user has: while there are no more, what was computed of them still holds.
SELECT count() FROM rehearsal.halves WHERE wallet = {user:String}
