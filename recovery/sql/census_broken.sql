-- The right rows of one range of the source's key, apart for those in whose place the table has a broken row: of the window, under the
-- same identity, day, test subject and partition. How many rows and identities they are, and what they hold. By 64 bits.
SELECT
    toString(day) AS day,
    subject,
    is_broken,
    count() AS identities,
    uniqExact(id) AS told_apart,
    sum(content) AS content
FROM
(
    SELECT
        id,
        day,
        subject,
        content,
        sipHash64(id, day, subject, home) IN
        (
            SELECT sipHash64(
                sipHash64(tuple(${identity})),
                toDate(${time}, 'UTC'),
                indexOf({subjects:Array(String)}, toString(${subject})),
                cityHash64(tuple(${partition_key})))
            FROM ${table}
            WHERE _partition_id IN {partitions:Array(String)} AND ${owned} AND ${broken}
              AND ${time} >= {window_from:DateTime('UTC')} AND ${time} < {window_to:DateTime('UTC')}
        ) AS is_broken
    FROM
    (
        SELECT
            sipHash64(tuple(${identity})) AS id,
            toDate(${time}, 'UTC') AS day,
            indexOf({subjects:Array(String)}, toString(${subject})) AS subject,
            sipHash64(tuple(${content})) AS content,
            cityHash64(tuple(${partition_key})) AS home
        FROM (${right})
    )
)
GROUP BY 1, 2, 3
