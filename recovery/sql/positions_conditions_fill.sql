-- The conditions that the rebuild is about.
INSERT INTO ${conditions} (condition_id, resolved_at, payouts)
SELECT condition_id, resolved_at, payouts
FROM (${resolved})
