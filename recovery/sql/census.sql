-- How many identities of the affected partitions are in which class, per day: one scan of the table and of its source.
SELECT
    toString(day) AS day,
    subject,
    class,
    count() AS identities,
    sum(rows) AS rows,
    sum(broken_rows) AS broken_rows,
    sum(good_rows) AS good_rows,
    countIf(doubled) AS doubled,
    countIf(spread) AS spread
FROM (${identities})
GROUP BY day, subject, class
ORDER BY day, class, subject
