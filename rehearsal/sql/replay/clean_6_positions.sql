-- The lots of the conditions that were resolved, of the fills that are there: what was bought first is sold first.
INSERT INTO {world:Identifier}.positions
SELECT
    tx_hash, wallet, condition_id, outcome_index, first_time AS entry_time, amount AS tokens, dollars AS cost_usd,
    least(amount, greatest(0, sold - (bought_so_far - amount))) AS tokens_sold_early,
    amount - tokens_sold_early AS tokens_held,
    if(sold > 0, tokens_sold_early * proceeds / sold, 0) + tokens_held * payout AS exit_value,
    exit_value - cost_usd AS pnl_usd, pnl_usd / cost_usd AS roi, 100 * tokens_sold_early / amount AS pct_sold_early,
    any_maker AS is_maker, ended AS resolved_at, toUInt8(0) AS is_short
FROM
(
    SELECT
        *,
        sumIf(amount, tx_hash = '') OVER (PARTITION BY wallet, condition_id, outcome_index) AS sold,
        sumIf(dollars, tx_hash = '') OVER (PARTITION BY wallet, condition_id, outcome_index) AS proceeds,
        sumIf(amount, tx_hash != '') OVER (PARTITION BY wallet, condition_id, outcome_index ORDER BY first_time, tx_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bought_so_far
    FROM
    (
        SELECT
            if(tokens_delta > 0, f.tx_hash, '') AS tx_hash, wallet, f.condition_id AS condition_id, outcome_index, min(event_time) AS first_time,
            sum(abs(tokens_delta)) AS amount, sum(abs(usdc_delta)) AS dollars, max(f.is_maker) AS any_maker,
            any(r.resolved_at) AS ended,
            any(JSONExtract(payout_numerators, 'Array(Float64)')[outcome_index + 1]) AS payout
        FROM
        (
            SELECT *
            FROM {world:Identifier}.fills
            WHERE source = 'clob' AND condition_id IN
            (
                SELECT condition_id FROM {world:Identifier}.resolutions
                WHERE insert_time >= {since:DateTime('UTC')} AND insert_time < {until:DateTime('UTC')}
            )
        ) AS f
        INNER JOIN {world:Identifier}.resolutions AS r ON f.condition_id = r.condition_id
        GROUP BY tx_hash, wallet, condition_id, outcome_index
    )
)
WHERE tx_hash != '' AND dollars >= 0.01
