-- Fragment: one row per fill, whichever of the files have it. Fills of one file that look alike are told apart by an ordinal.
-- The size is not part of what makes a fill, because /activity and /trades disagree on it: before a fee, and after twice it.
SELECT
    concat('0x', lower(hex(SHA256(concat_ws('|', content, toString(ordinal)))))) AS order_id,
    if(tx_hash != '', tx_hash, order_id) AS transaction_hash,
    wallet,
    side,
    token_id,
    price,
    ts,
    anyIf(size, origin != 'trades') AS before_fee,
    anyIf(size, origin = 'trades') AS after_fee_twice,
    countIf(origin != 'trades') > 0 AS has_before,
    countIf(origin = 'trades') > 0 AS has_after,
    countIf(origin = 'activity') > 0 AS in_activity,
    anyIf(usdc, origin != 'trades') AS usdc,
    max(repeat) > 1 AS is_repeat
FROM
(
    SELECT
        *,
        concat_ws('|', wallet, side, token_id, toString(price), toString(ts), tx_hash) AS content,
        row_number() OVER (PARTITION BY origin, content ORDER BY size) AS ordinal,
        row_number() OVER (PARTITION BY origin, content, size, usdc) AS repeat
    FROM ${stage_fills}
)
GROUP BY content, ordinal, tx_hash, wallet, side, token_id, price, ts
