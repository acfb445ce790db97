-- Compares the table of positions with what it must hold, of a range of the wallets: what is wrong, how often,
-- and some examples. Rows are read plainly. Amounts may differ by a millionth, or by a millionth of their size.
WITH
    ['tokens', 'cost_usd', 'tokens_sold_early', 'tokens_held', 'exit_value', 'pnl_usd', 'roi', 'pct_sold_early'] AS figure_names,
    ['entry_time', 'resolved_at', 'is_maker', 'is_short'] AS fact_names
SELECT finding, count() AS positions, arraySort(groupArraySample(5, 1)(sample)) AS samples
FROM
(
    SELECT
        arrayConcat(
            arrayFilter((name, x, y) -> NOT (abs(x - y) <= 1e-6 * greatest(1, abs(y))), figure_names, figures, right_figures),
            arrayFilter((name, x, y) -> x != y, fact_names, facts, right_facts)) AS changed,
        multiIf(
            outside, if(rows = 1 AND right_rows = 1 AND empty(changed), '', 'outside'),
            right_rows = 0, 'extra',
            rows = 0, 'lost',
            rows > 1, 'doubled',
            notEmpty(changed), 'different',
            '') AS finding,
        concat(substring(wallet, 1, 10), ' ', substring(condition_id, 1, 10), ' ', toString(outcome_index), ' ', substring(tx_hash, 1, 10),
            if(rows > 0 AND right_rows > 0 AND notEmpty(changed), concat(': ', arrayStringConcat(changed, ', ')), '')) AS sample
    FROM
    (
        SELECT
            wallet, condition_id, outcome_index, tx_hash,
            countIf(stored) AS rows, countIf(NOT stored) AS right_rows,
            arrayResize(anyIf(figures_of, stored), 8) AS figures, arrayResize(anyIf(figures_of, NOT stored), 8) AS right_figures,
            arrayResize(anyIf(facts_of, stored), 4) AS facts, arrayResize(anyIf(facts_of, NOT stored), 4) AS right_facts,
            max(resolved_at < {resolved_from:DateTime('UTC')} OR resolved_at >= {resolved_until:DateTime('UTC')}) AS outside
        FROM
        (
            SELECT
                stored, toString(wallet) AS wallet, condition_id, outcome_index, tx_hash, resolved_at,
                [tokens, cost_usd, tokens_sold_early, tokens_held, exit_value, pnl_usd, roi, pct_sold_early] AS figures_of,
                [toUnixTimestamp(entry_time), toUnixTimestamp(resolved_at), toUInt32(is_maker), toUInt32(is_short)] AS facts_of
            FROM
            (
                SELECT 1 AS stored, * FROM {database:Identifier}.{table:Identifier}
                UNION ALL
                SELECT 0, * FROM rehearsal.positions
            )
            WHERE wallet >= {wallet_from:String} AND (wallet < {wallet_to:String} OR {wallet_to:String} = '')
        )
        GROUP BY wallet, condition_id, outcome_index, tx_hash
    )
)
WHERE finding != ''
GROUP BY finding
SETTINGS max_bytes_before_external_group_by = 1000000000
