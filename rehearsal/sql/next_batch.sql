-- The first number that is free for a tick of the live writer.
SELECT max(batch) + 1 FROM rehearsal.transactions
