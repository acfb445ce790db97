-- Fragment: resolutions, of conditions whose end is known, that the table does not have like this yet.
WITH fresh AS
(
    SELECT
        condition_id,
        has(payouts, -1) OR arraySum(payouts) = 0 AS is_open,
        arrayMap(payout -> toString(toUInt64(payout / arrayMin(arrayFilter(each -> each > 0, payouts)))), payouts) AS numerators,
        if(is_open, '', concat('[', arrayStringConcat(numerators, ','), ']')) AS payout_numerators,
        if(is_open, '', toString(arraySum(arrayMap(text -> toUInt64(text), numerators)))) AS payout_denominator,
        toDateTime(ended) AS resolved_at,
        now() AS insert_time,
        toUInt8(0) AS is_deleted
    FROM (${payouts}) AS tokens
    INNER JOIN (SELECT condition_id, max(ended) AS ended FROM ${stage_ends} GROUP BY condition_id) AS ends
        USING (condition_id)
)
SELECT condition_id, payout_numerators, payout_denominator, resolved_at, insert_time, is_deleted
FROM fresh
WHERE (condition_id, payout_numerators, payout_denominator, resolved_at) NOT IN
    (
        SELECT condition_id, payout_numerators, payout_denominator, resolved_at
        FROM ${target} FINAL
        WHERE condition_id IN (SELECT condition_id FROM fresh)
    )
