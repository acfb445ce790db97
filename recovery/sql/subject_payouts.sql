-- What a token of each resolved condition is worth, in millionths, of those that one subject has fills of.
SELECT
    condition_id AS condition,
    arrayMap(part -> toInt64(floor(part * 1e6 / arraySum(parts))), JSONExtract(payout_numerators, 'Array(Float64)') AS parts) AS payouts
FROM ${resolutions} FINAL
WHERE is_deleted = 0 AND payout_numerators != ''
  AND condition_id IN (SELECT condition_id FROM ${table} WHERE ${subject} = {subject:String})
