-- Fragment: the payouts of each condition whose tokens are all known, in the order of its outcomes.
SELECT
    condition_id,
    arrayMap(pair -> pair.2, arraySort(groupUniqArray((outcome_index, ifNull(payout, -1))))) AS payouts
FROM ${stage_tokens}
GROUP BY condition_id
HAVING uniqExact(outcome_index) = max(outcome_index) + 1 AND length(payouts) = uniqExact(outcome_index)
   AND length(payouts) > 1
