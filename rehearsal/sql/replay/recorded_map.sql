-- What the map had learned before an hour's end.
SELECT
    token AS token_id_dec, condition_id, toInt64(outcome - 1) AS outcome_index,
    concat('Question ', kind, ' ', toString(created), ' number ', toString(rank), '?') AS question,
    arrayElement(['politics', 'sports', 'crypto', 'culture'], rank % 4 + 1) AS category,
    mapped_at
FROM rehearsal.conditions ARRAY JOIN tokens AS token, arrayEnumerate(tokens) AS outcome
WHERE mapped_at > 0 AND mapped_at < {until:DateTime('UTC')}
