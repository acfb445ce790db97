-- How many rows a restore would insert, remove, and leave because others wrote them since. `alone` are those whose identity others
-- did not write to.
SELECT side, count() AS rows, countIf(NOT later_beside) AS alone
FROM
(
    SELECT side, max(side = 'later') OVER (PARTITION BY identity) AS later_beside
    FROM (${differing})
)
GROUP BY side
