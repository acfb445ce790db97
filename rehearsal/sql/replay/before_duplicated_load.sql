-- Rows with equal keys stay as many as they are.
SYSTEM STOP MERGES {database:Identifier}.pm_canonical_fills_v4
