-- Of conditions that are not rebuilt, in other months or too young, the table must hold what it held.
INSERT INTO rehearsal.positions
SELECT * FROM rehearsal.positions_before FINAL
WHERE resolved_at < {resolved_from:DateTime('UTC')} OR resolved_at >= {resolved_until:DateTime('UTC')}
