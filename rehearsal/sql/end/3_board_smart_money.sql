-- The board as it must be in the end.
CREATE TABLE rehearsal.pm_smart_money_cache AS pm_smart_money_cache
