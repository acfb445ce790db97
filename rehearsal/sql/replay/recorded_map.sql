-- The map with when it learned of each token.
INSERT INTO {world:Identifier}.map
SELECT
    token, condition_id, outcome - 1,
    concat('Question ', kind, ' ', toString(created), ' number ', toString(rank), '?') AS question,
    arrayElement(['politics', 'sports', 'crypto', 'culture'], rank % 4 + 1) AS category,
    mapped_at
FROM rehearsal.conditions ARRAY JOIN tokens AS token, arrayEnumerate(tokens) AS outcome
WHERE mapped_at > 0
