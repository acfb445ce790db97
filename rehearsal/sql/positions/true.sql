-- What each lot and each short of the ranges at hand came to. Of all that a position sold, a lot is the tokens from
-- `opened` to before `closed`, and a short those from all that it bought to all that it sold: what such a stretch
-- brought is what the sells had brought at its end, less what they had at its beginning. Where a sell lies across an end,
-- it counts by its tokens. Lots that cost less than a cent, and shorts of less, get no row.
INSERT INTO rehearsal.positions
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held,
     exit_value, pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
WITH
    least(s.opened, b.closed) AS sold_before,
    least(s.closed, e.closed) AS sold_at_end,
    e.earlier - b.earlier
        + if(e.closed = e.opened, 0, e.usdc * (sold_at_end - e.opened) / (e.closed - e.opened))
        - if(b.closed = b.opened, 0, b.usdc * (sold_before - b.opened) / (b.closed - b.opened)) AS proceeds,
    s.closed - s.opened AS amount,
    if(s.is_lot, sold_at_end - sold_before, 0) AS sold,
    amount - sold AS held,
    if(s.is_lot, s.usdc, -proceeds) AS cost,
    if(s.is_lot, proceeds + held * s.payout, -amount * s.payout) AS value
SELECT
    if(s.is_lot, s.key, concat('short_', substring(s.wallet, 1, 10), '_', substring(s.condition_id, 1, 10), '_', toString(s.outcome_index))),
    s.wallet, s.condition_id, s.outcome_index, if(s.is_lot, s.at, b.at),
    amount / 1e6, cost / 1e6, sold / 1e6, held / 1e6, value / 1e6, (value - cost) / 1e6,
    if(cost = 0, 0, (value - cost) / abs(cost)), if(amount = 0, 0, 100 * sold / amount),
    s.is_maker, s.resolved_at, NOT s.is_lot
FROM
(
    SELECT wallet, condition_id, outcome_index, is_lot, key, at, is_maker, usdc, opened, closed, resolved_at, payout
    FROM rehearsal.ranges
    WHERE is_lot
    UNION ALL
    SELECT wallet, condition_id, outcome_index, 0, '', toDateTime(0), 0, 0, maxIf(closed, is_lot) AS bought, maxIf(closed, NOT is_lot) AS sold, any(resolved_at), any(payout)
    FROM rehearsal.ranges
    GROUP BY wallet, condition_id, outcome_index
    HAVING sold - bought > 10000
) AS s
ASOF LEFT JOIN (SELECT * FROM rehearsal.ranges WHERE NOT is_lot) AS b
    ON s.wallet = b.wallet AND s.condition_id = b.condition_id AND s.outcome_index = b.outcome_index AND b.opened <= s.opened
ASOF LEFT JOIN (SELECT * FROM rehearsal.ranges WHERE NOT is_lot) AS e
    ON s.wallet = e.wallet AND s.condition_id = e.condition_id AND s.outcome_index = e.outcome_index AND e.opened <= s.closed
WHERE if(s.is_lot, s.usdc >= 10000, proceeds > 10000)
