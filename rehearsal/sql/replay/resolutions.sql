-- Conditions end.
INSERT INTO {database:Identifier}.pm_condition_resolutions
SELECT * FROM resolutions
