-- The identities that the source has a right row for in one range of its key: how many are in which class, and which day, subject and
-- class the table's own rows gave them.
SELECT
    toString(day) AS day,
    subject,
    class,
    toString(own_day) AS own_day,
    own_subject,
    own_class,
    count() AS identities,
    sum(rows) AS rows,
    sum(broken_rows) AS broken_rows,
    sum(good_rows) AS good_rows,
    countIf(doubled) AS doubled,
    countIf(spread) AS spread,
    countIf(own_spread) AS own_spread
FROM (${identities})
GROUP BY 1, 2, 3, 4, 5, 6
