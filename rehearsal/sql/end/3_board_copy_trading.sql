-- The board as it must be in the end.
CREATE TABLE rehearsal.pm_copy_trading_leaderboard AS pm_copy_trading_leaderboard
