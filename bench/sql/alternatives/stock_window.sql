-- The rows of the window that the recovery answers for, for expectations over them.
SELECT *
FROM ${table}
WHERE source = 'clob' AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
