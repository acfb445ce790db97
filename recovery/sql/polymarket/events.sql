-- Fragment: the source rows of fills that are not in the table yet. What two endpoints agree on has version 2 and replaces
-- what one of them says. Tokens are those received; dollars are without the fee, which stands beside them.
-- The files do not say who was maker: every fill counts as a taker's, so that none is taken for half of a self-fill.
WITH fresh AS
(
    SELECT
        concat(transaction_hash, '_', order_id, '-t') AS event_id,
        wallet AS trader_wallet,
        'taker' AS role,
        lower(side) AS side,
        token_id,
        -- Prices have ten decimals: a difference within their rounding is no fee.
        round(price * if(has_before, before_fee, after_fee_twice) * 1e6) AS product,
        round(ifNull(usdc, 0) * 1e6) AS paid,
        isNotNull(usdc) AND abs(paid - product) <= 1 + before_fee * 1e-4 AS is_without_fee,
        if(is_without_fee, paid, product) AS usdc_amount,
        round(multiIf(has_before AND has_after, (before_fee + after_fee_twice) / 2, has_before, before_fee,
            after_fee_twice) * 1e6) AS token_amount,
        if(isNull(usdc) OR is_without_fee, 0., abs(paid - product)) AS fee_amount,
        toDateTime(ts) AS trade_time,
        transaction_hash,
        toUInt64(0) AS block_number,
        toUInt64(has_before) + toUInt64(has_after) AS _version
    FROM (${fills})
)
SELECT event_id, trader_wallet, role, side, token_id, usdc_amount, token_amount, fee_amount, trade_time,
       transaction_hash, block_number, _version
FROM fresh
WHERE (event_id, token_amount, usdc_amount, fee_amount, _version) NOT IN
    (
        SELECT event_id, token_amount, usdc_amount, fee_amount, _version
        FROM ${target} FINAL
        WHERE event_id IN (SELECT event_id FROM fresh)
    )
    AND NOT (_version = 1 AND event_id IN
    (
        SELECT event_id
        FROM ${target}
        WHERE _version > 1 AND event_id IN (SELECT event_id FROM fresh)
    ))
