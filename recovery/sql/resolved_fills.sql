-- Fragment: one row per condition that was resolved in the months and before the cutoff, and has counted fills before it.
-- A condition without a lot of the least cost, only dust or shorts, may well make no row.
SELECT
    condition,
    day,
    max(cost) AS dearest_lot,
    sum(fills) AS fills
FROM
(
    SELECT
        condition_id AS condition,
        sumIf(abs(usdc_delta), tokens_delta > 0) AS cost,
        count() AS fills
    FROM ${table} ${final}
    WHERE condition_id IN (SELECT condition_id FROM (${resolved})) AND ${counted} AND NOT ${broken} AND ${time} < {cutoff:DateTime('UTC')}
    GROUP BY condition_id, outcome_index, tx_hash, ${subject}
) AS lots
INNER JOIN
(
    SELECT condition_id AS condition, toDate(resolved_at, 'UTC') AS day
    FROM (${resolved})
) AS ends USING (condition)
GROUP BY condition, day
