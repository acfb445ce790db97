-- The fills as production stored them.
INSERT INTO {world:Identifier}.fills
SELECT * FROM default.pm_canonical_fills_v4
