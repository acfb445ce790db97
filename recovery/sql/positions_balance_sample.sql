-- Some positions that do not agree with the fills.
SELECT
    wallet, condition_id, outcome_index,
    concat('lots ', toString(lots), ' of ', toString(lots_due)) AS lots_found,
    concat('shorts ', toString(shorts), ' of ', toString(shorts_due)) AS shorts_found,
    concat('tokens ', toString(tokens), ' of ', toString(tokens_due)) AS tokens_found,
    concat('cost ', toString(cost), ' of ', toString(cost_due)) AS cost_found,
    concat('profit ', toString(profit), ' of ', toString(profit_due)) AS profit_found
FROM (${position_accounts})
WHERE lots != lots_due OR shorts != shorts_due OR tokens_differ OR dollars_differ OR profit_differs
ORDER BY 1, 2, 3
LIMIT {limit:UInt64}
