-- What each statement at work had of the server's memory at most, by its label, and what all merges and mutations have.
SELECT
    Settings['log_comment'] AS label,
    max(greatest(memory_usage, peak_memory_usage)) AS peak,
    (SELECT sum(memory_usage) FROM system.merges) AS merges
FROM system.processes
GROUP BY label
