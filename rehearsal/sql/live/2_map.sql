-- The map learns of new tokens when their time has come.
INSERT INTO pm_token_to_condition_map_v5
SELECT token, condition_id, outcome - 1, concat('Question live ', toString(rank), '?'), 'live'
FROM rehearsal.conditions ARRAY JOIN tokens AS token, arrayEnumerate(tokens) AS outcome
WHERE kind = 'live' AND mapped_at <= {mapped_until:DateTime('UTC')}
  AND condition_id NOT IN (SELECT condition_id FROM pm_token_to_condition_map_v5 WHERE category = 'live')
