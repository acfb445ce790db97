-- What the affected partitions hold in one range of the sorting key: identities by day, test subject and what their own rows say of
-- them, and the sum of what the good ones of the window hold. Identities are told apart by 64 bits.
SELECT
    toString(toDate(first_day % 65536)) AS day,
    subject,
    multiIf(
        bitTest(marks, 0) AND bitTest(marks, 2), 'mixed',
        bitTest(marks, 0), if(bitTest(marks, 1), 'foreign_broken', 'foreign'),
        NOT bitTest(marks, 3), if(broken_rows > 0, 'outside_broken', 'outside'),
        good_rows = 0, 'orphan',
        first_content != last_content, 'different',
        broken_rows = 0, 'clean',
        good_version > broken_version, 'corrected',
        'outversioned') AS class,
    count() AS identities,
    sum(rows) AS rows,
    sum(broken_rows) AS broken_rows,
    sum(good_rows) AS good_rows,
    countIf(first_place != last_place AND broken_rows = 0) AS doubled,
    countIf(first_home != last_home) AS spread,
    sumIf(last_content, good_rows > 0) AS content
FROM
(
    SELECT
        id,
        min(day + if(in_window, 0, 65536)) AS first_day,
        max(subject) AS subject,
        -- what the identity has rows of: of others, of others and broken, of ours, of the window
        groupBitOr(toUInt8(NOT ours) + 2 * (NOT ours AND broken) + 4 * ours + 8 * in_window) AS marks,
        count() AS rows,
        countIf(ours AND NOT broken) AS good_rows,
        countIf(ours AND broken) AS broken_rows,
        minIf(content, ours AND NOT broken) AS first_content,
        maxIf(content, ours AND NOT broken) AS last_content,
        min(place) AS first_place,
        max(place) AS last_place,
        min(home) AS first_home,
        max(home) AS last_home,
        maxIf(version, ours AND NOT broken) AS good_version,
        maxIf(version, ours AND broken) AS broken_version
    FROM
    (
        SELECT
            sipHash64(tuple(${identity})) AS id,
            toUInt32(toUInt16(toDate(${time}, 'UTC'))) AS day,
            indexOf({subjects:Array(String)}, toString(${subject})) AS subject,
            ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')} AS in_window,
            ${owned} != 0 AS ours,
            ${broken} != 0 AS broken,
            sipHash64(tuple(${content})) AS content,
            cityHash64(tuple(${sorting_key})) AS place,
            cityHash64(_partition_id, tuple(${partition_key})) AS home,
            ${version} AS version
        FROM ${table}
        WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
    )
    GROUP BY id
)
GROUP BY 1, 2, 3
