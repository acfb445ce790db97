-- Fragment: each position of a range of wallets, as the fills say and as the table has it, and what of it does not agree. What was
-- sold beyond what was bought is followed sell by sell. A lot that cost too little for a row takes its part of the profit with it.
SELECT
    wallet, condition_id, outcome_index,
    max(toYYYYMM(resolved_at, 'UTC')) AS month,
    sum(e_lots) AS lots_due,
    round(sum(e_sold) - sum(e_bought), 6) > {least_short_tokens:Float64} AND round(sum(e_beyond), 9) > {least_short_proceeds:Float64} AS shorts_due,
    sum(f_lots) AS lots,
    sum(f_shorts) AS shorts,
    sum(e_bought) - sum(e_dust_tokens) AS tokens_due,
    sum(f_tokens) AS tokens,
    sum(e_cost) - sum(e_dust_cost) AS cost_due,
    sum(f_cost) AS cost,
    if(shorts_due, sum(e_sold) - sum(e_bought), 0) AS short_tokens_due,
    sum(f_short_tokens) AS short_tokens,
    if(shorts_due, sum(e_beyond), 0) AS short_proceeds_due,
    sum(f_short_proceeds) AS short_proceeds,
    sum(e_cash) + (sum(e_bought) - sum(e_sold)) * max(e_payout)
        - if(shorts_due, 0, sum(e_beyond) - greatest(0, sum(e_sold) - sum(e_bought)) * max(e_payout)) AS profit_due,
    sum(f_profit) AS profit,
    sum(e_dust_tokens) * greatest(1, max(e_price)) + sum(e_dust_cost) AS dust,
    NOT (abs(tokens - tokens_due) <= 1e-6 + 1e-9 * tokens_due AND abs(short_tokens - short_tokens_due) <= 1e-6 + 1e-9 * short_tokens_due) AS tokens_differ,
    NOT (abs(cost - cost_due) <= {tolerance:Float64} AND abs(short_proceeds - short_proceeds_due) <= {tolerance:Float64}) AS dollars_differ,
    NOT (abs(profit - profit_due) <= {tolerance:Float64} + dust) AS profit_differs
FROM
(
    SELECT
        wallet, condition_id, outcome_index, resolved_at, e_lots, e_bought, e_sold, e_cost, e_cash, e_payout, e_dust_tokens, e_dust_cost, e_price,
        if(e_sold <= e_bought, 0., arrayFold(
            (left, sell) -> (greatest(left.1 - sell.3, 0.), left.2 + sell.4 * greatest(sell.3 - left.1, 0.) / sell.3),
            arraySort(sells), (e_bought, 0.)).2) AS e_beyond,
        0 AS f_lots, 0 AS f_shorts, 0. AS f_tokens, 0. AS f_cost, 0. AS f_short_tokens, 0. AS f_short_proceeds, 0. AS f_profit
    FROM
    (
        SELECT
            wallet, condition_id, outcome_index,
            any(at) AS resolved_at,
            any(payout) AS e_payout,
            countIf(buys AND dollars_paid >= {least_cost:Float64}) AS e_lots,
            sumIf(shares, buys) AS e_bought,
            -sumIf(shares, NOT buys) AS e_sold,
            sumIf(dollars_paid, buys) AS e_cost,
            sum(dollars) AS e_cash,
            sumIf(shares, buys AND dollars_paid < {least_cost:Float64}) AS e_dust_tokens,
            sumIf(dollars_paid, buys AND dollars_paid < {least_cost:Float64}) AS e_dust_cost,
            max(best_price) AS e_price,
            groupArrayArray(part_sells) AS sells
        FROM
        (
            SELECT
                wallet, condition_id, outcome_index,
                tokens_delta > 0 AS buys,
                if(buys, tx_hash, '') AS lot,
                any(c.resolved_at) AS at,
                any(c.payouts[outcome_index + 1]) AS payout,
                round(sum(tokens_delta), 6) AS shares,
                round(sum(usdc_delta), 6) AS dollars,
                round(sum(abs(usdc_delta)), 6) AS dollars_paid,
                maxIf(-usdc_delta / tokens_delta, tokens_delta < 0) AS best_price,
                groupArrayIf((event_time, fill_id, -tokens_delta, usdc_delta), tokens_delta < 0) AS part_sells
            FROM
            (
                SELECT wallet, condition_id, outcome_index, tx_hash, fill_id, event_time, tokens_delta, usdc_delta
                FROM ${table} ${final}
                WHERE wallet >= {subject_from:String} AND wallet < {subject_to:String}
                  AND event_time < {cutoff:DateTime('UTC')} AND tokens_delta != 0 AND ${counted}
            ) AS f
            INNER JOIN (${resolved}) AS c USING (condition_id)
            WHERE tokens_delta > 0 OR event_time < c.resolved_at
            GROUP BY wallet, condition_id, outcome_index, buys, lot
        )
        GROUP BY wallet, condition_id, outcome_index
    )
    UNION ALL
    SELECT
        wallet, condition_id, outcome_index, resolved_at, 0, 0., 0., 0., 0., 0., 0., 0., 0., 0.,
        is_short = 0, is_short = 1, if(is_short, 0, tokens), if(is_short, 0, cost_usd), if(is_short, tokens, 0), if(is_short, -cost_usd, 0),
        pnl_usd
    FROM ${positions} FINAL
    WHERE wallet >= {subject_from:String} AND wallet < {subject_to:String}
      AND resolved_at >= {resolved_from:DateTime('UTC')} AND resolved_at < {resolved_to:DateTime('UTC')}
      AND resolved_at < {cutoff:DateTime('UTC')}
)
GROUP BY wallet, condition_id, outcome_index
