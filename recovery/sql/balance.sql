-- Every identity in one class, with the rows that it had when the snapshot ${baseline} was taken and those that it has: one scan.
SELECT class, count() AS identities, sum(rows_before) AS rows_before, sum(rows_now) AS rows_now
FROM (${accounts})
GROUP BY class
ORDER BY class
