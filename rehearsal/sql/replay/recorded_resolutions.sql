-- How conditions ended.
INSERT INTO {world:Identifier}.resolutions
SELECT * FROM default.pm_condition_resolutions
