-- The map learns of nothing new until the fault has passed.
INSERT INTO {database:Identifier}.pm_token_to_condition_map_v5
SELECT * EXCEPT mapped_at
FROM {world:Identifier}.map
WHERE mapped_at < {until:DateTime('UTC')}
  AND token_id_dec NOT IN (SELECT token_id_dec FROM {database:Identifier}.pm_token_to_condition_map_v5)
  AND NOT (mapped_at >= {fault_from:DateTime('UTC')} AND mapped_at < {fault_to:DateTime('UTC')} AND {until:DateTime('UTC')} <= {fault_to:DateTime('UTC')})
