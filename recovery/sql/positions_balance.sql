-- Positions of a range of wallets by month of resolution: rows due by the fills and there, and what does not agree.
SELECT
    toString(month) AS partition_id,
    count() AS positions,
    uniqExact(condition_id) AS conditions,
    sum(lots_due) AS lots_due,
    sum(lots) AS lots,
    sum(shorts_due) AS shorts_due,
    sum(shorts) AS shorts,
    countIf(lots != lots_due OR shorts != shorts_due) AS rows_differ,
    countIf(tokens_differ) AS tokens_differ,
    countIf(dollars_differ) AS dollars_differ,
    countIf(profit_differs) AS profit_differs,
    sum(profit) AS profit,
    sum(profit_due) AS profit_due
FROM (${position_accounts})
GROUP BY 1
ORDER BY 1
