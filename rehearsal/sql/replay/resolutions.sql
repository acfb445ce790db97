-- Conditions end.
INSERT INTO {database:Identifier}.pm_condition_resolutions
SELECT *
FROM {world:Identifier}.resolutions
WHERE insert_time >= {begin:DateTime('UTC')} AND insert_time < {until:DateTime('UTC')}
