-- Profit and loss, first in first out, of each position of one subject, in dollars.
SELECT condition_id AS condition, toUInt32(outcome_index) AS outcome, sum(pnl_usd) AS pnl
FROM ${positions} FINAL
WHERE ${subject} = {subject:String}
GROUP BY condition, outcome
