-- Rows of the table against those that the statement selects, for a range of time: identities that only one of them has, or that
-- they have otherwise, with some of each.
SELECT
    multiIf(stored = 0, 'missing', selected = 0, 'extra', first_content != last_content, 'different', 'same') AS class,
    count() AS identities,
    min(day) AS first_day,
    groupArraySample(3, 1)(identity) AS sample
FROM
(
    SELECT
        sipHash128(tuple(${identity})) AS _id,
        any(toString(tuple(${identity}))) AS identity,
        countIf(_side = 'stored') AS stored,
        countIf(_side = 'selected') AS selected,
        min(sipHash64(tuple(${content}))) AS first_content,
        max(sipHash64(tuple(${content}))) AS last_content,
        min(toDate(${time}, 'UTC')) AS day
    FROM
    (
        SELECT 'stored' AS _side, ${content}
        FROM ${table} ${final}
        WHERE ${owned} AND NOT ${broken}
          AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        UNION ALL
        SELECT 'selected' AS _side, ${content}
        FROM (${right})
    )
    GROUP BY _id
)
GROUP BY class
ORDER BY class
SETTINGS ${cost}
