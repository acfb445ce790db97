-- The map learns of what it does not know yet.
INSERT INTO {database:Identifier}.pm_token_to_condition_map_v5
SELECT * EXCEPT mapped_at
FROM {world:Identifier}.map
WHERE mapped_at < {until:DateTime('UTC')}
  AND token_id_dec NOT IN (SELECT token_id_dec FROM {database:Identifier}.pm_token_to_condition_map_v5)
