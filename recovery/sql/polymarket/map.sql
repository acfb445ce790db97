-- Fragment: tokens that the map does not know like this yet. A question that it has is not replaced by none.
WITH fresh AS
(
    SELECT
        token_id AS token_id_dec,
        any(condition) AS condition_id,
        toInt64(any(outcome)) AS outcome_index,
        max(title) AS question,
        '' AS category
    FROM
    (
        SELECT token_id, condition_id AS condition, outcome_index AS outcome, title
        FROM ${stage_fills}
        WHERE token_id != '' AND condition_id != '' AND outcome_index >= 0
        UNION ALL
        SELECT token_id, condition_id AS condition, outcome_index AS outcome, '' AS title
        FROM ${stage_tokens}
    )
    GROUP BY token_id
),
known AS
(
    SELECT token_id_dec, condition_id, outcome_index, question
    FROM ${target} FINAL
    WHERE token_id_dec IN (SELECT token_id_dec FROM fresh)
)
SELECT token_id_dec, condition_id, outcome_index, question, category
FROM fresh
WHERE (token_id_dec, condition_id, outcome_index, question) NOT IN
    (SELECT token_id_dec, condition_id, outcome_index, question FROM known)
    AND NOT (question = '' AND (token_id_dec, condition_id, outcome_index) IN
    (SELECT token_id_dec, condition_id, outcome_index FROM known))
