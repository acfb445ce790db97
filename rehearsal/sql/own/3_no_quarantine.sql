-- Stands in for the quarantine while there is none.
CREATE TABLE rehearsal.no_quarantine AS rehearsal.others
