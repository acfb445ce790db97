-- Positions are computed.
INSERT INTO {database:Identifier}.pm_trade_fifo_roi_v3
SELECT * FROM positions
