-- What the table of positions must hold in the end; rehearsal.positions is filled by the statements in positions/.
CREATE TABLE rehearsal.positions AS pm_trade_fifo_roi_v3
ENGINE = MergeTree
ORDER BY (wallet, condition_id, outcome_index, tx_hash)
SETTINGS default_compression_codec = 'ZSTD(1)', old_parts_lifetime = 30
