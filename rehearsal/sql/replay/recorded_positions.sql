-- The positions as production computed them.
INSERT INTO {world:Identifier}.positions
SELECT * FROM default.pm_trade_fifo_roi_v3
