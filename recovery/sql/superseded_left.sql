-- How many superseded rows are still there, by share.
SELECT share, sum(broken_rows) AS left
FROM (${broken_identities})
WHERE good_rows > 0
GROUP BY share
