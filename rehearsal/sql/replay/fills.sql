-- Fills are written.
INSERT INTO {database:Identifier}.pm_canonical_fills_v4
SELECT * FROM fills
