-- Inserts into the table that are running and began before a moment of the server's clock, those of this suite aside, and that clock, in seconds.
SELECT
    toFloat64(now64(6)) AS now,
    countIf(query_kind IN ('Insert', 'AsyncInsertFlush')
        AND position(query, {table:String}) > 0
        AND NOT startsWith(Settings['log_comment'], 'recovery-')
        AND toFloat64(now64(6)) - elapsed < {moment:Float64}) AS running
FROM system.processes
