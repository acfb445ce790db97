-- The lots and the sells of a range of the wallets, as the truth has them: buys of a transaction are a lot,
-- whenever they were; a sell counts until its condition is resolved. Fills that were missed because their token was
-- mapped late, and that lie outside the window, are not looked for by this recovery.
INSERT INTO rehearsal.ranges
    (wallet, condition_id, outcome_index, is_lot, key, at, is_maker, usdc, earlier, opened, closed, resolved_at, payout)
SELECT
    wallet, condition_id, outcome_index, is_lot, key, first_time, any_maker, money,
    sum(money) OVER in_order - money, sum(amount) OVER in_order - amount, sum(amount) OVER in_order, ended, share
FROM
(
    SELECT
        wallet, t.condition_id AS condition_id, outcome_index, tokens_delta > 0 AS is_lot, if(is_lot, tx_hash, fill_id) AS key,
        min(event_time) AS first_time, max(t.is_maker) AS any_maker,
        sum(toInt64(round(abs(usdc_delta) * 1e6))) AS money, sum(toInt64(round(abs(tokens_delta) * 1e6)) AS tokens) AS amount,
        any(r.resolved_at) AS ended, any(numerators[outcome_index + 1] / arraySum(numerators)) AS share
    FROM rehearsal.truth AS t
    INNER JOIN
    (
        SELECT condition_id, resolved_at, JSONExtract(payout_numerators, 'Array(Float64)') AS numerators
        FROM pm_condition_resolutions FINAL
        WHERE is_deleted = 0 AND payout_numerators != ''
          AND resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_until:DateTime('UTC')}
    ) AS r ON t.condition_id = r.condition_id
    WHERE source = 'clob' AND class != 'orphan' AND wallet != '0x0000000000000000000000000000000000000000'
      AND NOT (is_self_fill AND t.is_maker) AND event_time < {cutoff:DateTime('UTC')}
      AND NOT (class = 'late' AND (event_time < {window_start:DateTime('UTC')} OR event_time >= {window_end:DateTime('UTC')}))
      AND (tokens_delta > 0 OR event_time < r.resolved_at) AND tokens > 0
      AND wallet >= {wallet_from:String} AND (wallet < {wallet_to:String} OR {wallet_to:String} = '')
    GROUP BY wallet, condition_id, outcome_index, is_lot, key
)
WINDOW in_order AS (PARTITION BY wallet, condition_id, outcome_index, is_lot ORDER BY first_time, key ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
SETTINGS max_bytes_before_external_group_by = 1000000000, max_bytes_before_external_sort = 1000000000
