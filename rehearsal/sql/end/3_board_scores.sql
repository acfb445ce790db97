-- The board as it must be in the end.
CREATE TABLE rehearsal.wio_wallet_scores_v1 AS wio_wallet_scores_v1
