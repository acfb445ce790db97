-- Whether the table of positions is one that can be rebuilt month by month and by wallet: what is wrong with it, and with the conditions.
SELECT
    (SELECT countIf(partition_key = 'toYYYYMM(resolved_at)' AND sorting_key = 'wallet, condition_id, outcome_index, tx_hash'
                    AND engine LIKE '%ReplacingMergeTree')
     FROM system.tables WHERE database = {database:String} AND name = {table:String}) AS fits,
    (SELECT countIf(empty(payouts) OR arrayExists(payout -> NOT isFinite(payout), payouts)) FROM (${resolved})) AS unreadable,
    (SELECT count() FROM (${resolved})) AS conditions
