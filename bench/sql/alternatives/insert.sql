-- All right rows of a range of time in one statement.
INSERT INTO ${target}
    (fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index, tokens_delta, usdc_delta, source,
     is_self_fill, is_maker)
SELECT
    fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index, tokens_delta, usdc_delta, source,
    is_self_fill, is_maker
FROM (${right_rows})
