-- The counted fills of one subject, in order: tokens and dollars in millionths, those received above zero. Broken ones are none yet.
SELECT
    tx_hash AS transaction,
    condition_id AS condition,
    toUInt32(outcome_index) AS outcome,
    toUnixTimestamp(${time}) AS at,
    toInt64(round(tokens_delta * 1e6)) AS tokens,
    toInt64(round(usdc_delta * 1e6)) AS dollars,
    is_self_fill = 1 AS is_with_itself
FROM ${table} ${final}
WHERE ${subject} = {subject:String} AND ${counted} AND NOT ${broken}
ORDER BY ${time}, block_number, ${identity}
