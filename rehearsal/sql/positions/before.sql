-- The table of positions as the rehearsal begins, to see later whether what nobody rebuilds is as it was.
CREATE TABLE rehearsal.positions_before CLONE AS pm_trade_fifo_roi_v3
