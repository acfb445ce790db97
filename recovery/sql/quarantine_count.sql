-- Rows of the window that are in quarantine.
SELECT count() AS rows
FROM ${quarantine}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
