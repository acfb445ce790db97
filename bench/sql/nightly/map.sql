-- The two tokens of each of 30,000 conditions.
INSERT INTO pm_token_to_condition_map_v5
WITH
    intDiv(number, 2) AS market,
    number % 2 AS outcome,
    lower(concat(hex(sipHash128('market', market)), hex(sipHash128('market, more', market)))) AS condition
SELECT
    toString(reinterpretAsUInt256(unhex(concat(substring(condition, 1, 62), if(outcome = 1, '01', '00'))))),
    condition,
    outcome,
    concat('Question ', toString(market)),
    'Sports'
FROM numbers(60000)
