-- Statements of one attempt of an action that the server is still executing.
SELECT count() AS running
FROM system.processes
WHERE startsWith(query_id, {label:String}) OR startsWith(Settings['log_comment'], {label:String})
