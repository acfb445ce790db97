-- A board of the application: the score of each wallet.
CREATE TABLE wio_wallet_scores_v1
(
    wallet String,
    score Float64,
    total_pnl Float64,
    win_rate Float64,
    trades UInt64,
    updated_at DateTime
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY wallet
