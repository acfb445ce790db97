-- The token map as it is when the rehearsal begins.
INSERT INTO pm_token_to_condition_map_v5
SELECT
    token, condition_id, outcome - 1,
    concat('Question ', kind, ' ', toString(created), ' number ', toString(rank), '?') AS question,
    arrayElement(['politics', 'sports', 'crypto', 'culture'], rank % 4 + 1) AS category
FROM rehearsal.conditions ARRAY JOIN tokens AS token, arrayEnumerate(tokens) AS outcome
WHERE mapped_at > 0 AND mapped_at <= {clock:DateTime('UTC')}
