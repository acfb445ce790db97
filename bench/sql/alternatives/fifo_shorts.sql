-- The shorts of a batch of conditions: positions that sold more than they bought, with the cash flow of the whole position.
INSERT INTO ${target}
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held,
     exit_value, pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
SELECT
    concat('short_', substring(who, 1, 10), '_', substring(condition, 1, 10), '_', toString(outcome)),
    who, condition, outcome, entry, -net, -cash, 0, -net,
    net * payout AS owed,
    cash + owed AS pnl,
    pnl / cash AS roi,
    0, 0, ended, 1
FROM
(
    SELECT
        who, condition, outcome, minIf(at, tokens < 0) AS entry, sum(tokens) AS net, sum(dollars) AS cash,
        any(resolved) AS ended, any(payout) AS payout
    FROM (${fills})
    WHERE tokens > 0 OR (tokens < 0 AND at < resolved)
    GROUP BY who, condition, outcome
    HAVING net < -0.01 AND cash > 0.01
)
