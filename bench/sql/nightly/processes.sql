-- What the statements at work hold of the server's memory, by their label.
SELECT Settings['log_comment'] AS label, max(memory_usage) AS now, max(peak_memory_usage) AS peak
FROM system.processes
GROUP BY label
