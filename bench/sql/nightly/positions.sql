-- Ten lots of each condition that ended.
INSERT INTO pm_trade_fifo_roi_v3
WITH
    intDiv(number, 10) AS market,
    cityHash64('lot', number) AS drawn,
    1 + drawn % 1000 AS tokens,
    tokens * (1 + drawn % 97) / 100 AS cost,
    if(drawn % 2 = market % 2, tokens, 0) AS exit
SELECT
    concat('0x', lower(hex(sipHash128('lot', number))), lower(hex(sipHash128('lot, more', number)))) AS tx_hash,
    concat('0x', substring(lower(concat(hex(sipHash128('subject', drawn % 170000)), hex(sipHash128('subject, more', drawn % 170000)))), 1, 40)) AS wallet,
    lower(concat(hex(sipHash128('market', market)), hex(sipHash128('market, more', market)))) AS condition_id,
    drawn % 2 AS outcome_index,
    resolved_at - 3600 AS entry_time,
    tokens,
    cost AS cost_usd,
    0 AS tokens_sold_early,
    tokens AS tokens_held,
    exit AS exit_value,
    exit - cost AS pnl_usd,
    (exit - cost) / cost AS roi,
    0 AS pct_sold_early,
    drawn % 2 AS is_maker,
    toDateTime(toUnixTimestamp('2026-01-01 00:00:00', 'UTC') + intDiv((market + 1) * (31 * 86400), 15000) - 60, 'UTC') AS resolved_at,
    0 AS is_short
FROM numbers(150000)
