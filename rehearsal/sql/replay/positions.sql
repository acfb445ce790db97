-- Positions are computed.
INSERT INTO {database:Identifier}.pm_trade_fifo_roi_v3
SELECT *
FROM {world:Identifier}.positions
WHERE greatest(resolved_at + INTERVAL 10 MINUTE, entry_time) >= {begin:DateTime('UTC')}
  AND greatest(resolved_at + INTERVAL 10 MINUTE, entry_time) < {until:DateTime('UTC')}
