-- Nothing is known yet of what the table of positions must hold.
TRUNCATE TABLE rehearsal.positions
