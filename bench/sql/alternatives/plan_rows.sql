-- The plan's query 1 of phases 3 and 5: rows and identities of the month.
SELECT
    count() AS total_rows,
    count(DISTINCT fill_id) AS unique_fills,
    count() - count(DISTINCT fill_id) AS duplicates
FROM ${table}
WHERE toYYYYMM(event_time, 'UTC') = {month:UInt32}
