-- The positions as production computed them from what was stored: a sold part at the position's average sell price, and
-- a short with the cash flow of the whole position. A range of the wallets.
INSERT INTO pm_trade_fifo_roi_v3
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held,
     exit_value, pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
WITH
    sold - bought AS oversold,
    proceeds - paid AS premium
SELECT
    if(is_lot, lot, concat('short_', substring(wallet, 1, 10), '_', substring(condition_id, 1, 10), '_', toString(outcome_index))) AS tx_hash,
    wallet, condition_id, outcome_index, first_time AS entry_time,
    if(is_lot, amount, oversold) AS tokens,
    if(is_lot, dollars, -premium) AS cost_usd,
    if(is_lot, least(amount, greatest(0, sold - (bought_so_far - amount))), 0) AS tokens_sold_early,
    tokens - tokens_sold_early AS tokens_held,
    if(is_lot, if(sold > 0, tokens_sold_early * proceeds / sold, 0) + tokens_held * payout, -oversold * payout) AS exit_value,
    exit_value - cost_usd AS pnl_usd,
    if(cost_usd = 0, 0, pnl_usd / abs(cost_usd)) AS roi,
    if(tokens = 0, 0, 100 * tokens_sold_early / tokens) AS pct_sold_early,
    if(is_lot, any_maker, 0) AS is_maker, resolved_at, NOT is_lot AS is_short
FROM
(
    SELECT
        *,
        sumIf(amount, NOT is_lot) OVER position AS sold,
        sumIf(dollars, NOT is_lot) OVER position AS proceeds,
        sumIf(amount, is_lot) OVER position AS bought,
        sumIf(dollars, is_lot) OVER position AS paid,
        sumIf(amount, is_lot) OVER (PARTITION BY wallet, condition_id, outcome_index ORDER BY first_time, lot ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bought_so_far
    FROM
    (
        SELECT
            wallet, condition_id, outcome_index, if(tokens_delta > 0, tx_hash, '') AS lot, lot != '' AS is_lot,
            min(event_time) AS first_time, sum(abs(tokens_delta)) AS amount, sum(abs(usdc_delta)) AS dollars, max(f.is_maker) AS any_maker,
            any(r.resolved_at) AS resolved_at,
            any(r.numerators[f.outcome_index + 1] / arraySum(r.numerators)) AS payout
        FROM
        (
            SELECT * FROM pm_canonical_fills_v4 FINAL
            WHERE wallet >= {wallet_from:String} AND (wallet < {wallet_to:String} OR {wallet_to:String} = '')
        ) AS f
        INNER JOIN
        (
            SELECT condition_id, resolved_at, JSONExtract(payout_numerators, 'Array(Float64)') AS numerators
            FROM pm_condition_resolutions FINAL
            WHERE is_deleted = 0 AND payout_numerators != ''
        ) AS r ON f.condition_id = r.condition_id
        WHERE source = 'clob' AND wallet != '0x0000000000000000000000000000000000000000' AND NOT (is_self_fill AND f.is_maker)
          AND (tokens_delta > 0 OR (tokens_delta < 0 AND event_time < r.resolved_at))
        GROUP BY wallet, condition_id, outcome_index, lot
    )
    WINDOW position AS (PARTITION BY wallet, condition_id, outcome_index)
)
WHERE if(is_lot, dollars >= 0.01, oversold > 0.01 AND premium > 0.01)
SETTINGS max_bytes_before_external_group_by = 1000000000, max_bytes_before_external_sort = 1000000000
