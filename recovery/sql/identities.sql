-- Fragment: one row per identity of the affected partitions, all or some of them, and of the right rows, with the class that it is in,
-- and with the day, subject and class (own_…) that the table's rows give it by themselves.
SELECT
    id,
    toDate(first_day % 65536) AS day,
    subject,
    toDate(first_own_day % 65536) AS own_day,
    own_subject,
    rows,
    broken_rows,
    good_rows,
    first_place != last_place AND broken_rows = 0 AS doubled,
    first_partition != last_partition OR first_home != last_home AS spread,
    first_partition != last_partition OR first_own_home != last_own_home AS own_spread,
    multiIf(
        rows = 0, '',
        bitTest(marks, 0) AND bitTest(marks, 2), 'mixed',
        bitTest(marks, 0), if(bitTest(marks, 1), 'foreign_broken', 'foreign'),
        NOT bitTest(marks, 5), if(broken_rows > 0, 'outside_broken', 'outside'),
        good_rows = 0, 'orphan',
        first_good_content != last_good_content, 'different',
        broken_rows = 0, 'clean',
        good_version > broken_version, 'corrected',
        'outversioned') AS own_class,
    multiIf(
        bitTest(marks, 0) AND (bitTest(marks, 2) OR bitTest(marks, 3)), 'mixed',
        bitTest(marks, 0), if(bitTest(marks, 1), 'foreign_broken', 'foreign'),
        NOT bitTest(marks, 4), if(broken_rows > 0, 'outside_broken', 'outside'),
        NOT bitTest(marks, 3) AND good_rows > 0, 'unexpected',
        NOT bitTest(marks, 3), 'orphan',
        rows = 0, 'missing',
        good_rows = 0, 'uncorrected',
        first_content != last_content, 'different',
        broken_rows = 0, 'clean',
        good_version > broken_version, 'corrected',
        'outversioned') AS class
FROM
(
    SELECT
        id,
        min(day + if(in_window, 0, 65536)) AS first_day,
        minIf(day + if(in_window, 0, 65536), side != 'right') AS first_own_day,
        max(subject) AS subject,
        maxIf(subject, side != 'right') AS own_subject,
        -- what the identity has rows of: of others, of others and broken, of ours, the right one, of the window, of the table in it
        groupBitOr(toUInt8(side = 'foreign' OR side = 'foreign_broken') + 2 * (side = 'foreign_broken')
            + 4 * (side = 'good' OR side = 'broken') + 8 * (side = 'right') + 16 * in_window
            + 32 * (side != 'right' AND in_window)) AS marks,
        countIf(side != 'right') AS rows,
        countIf(side = 'good') AS good_rows,
        countIf(side = 'broken') AS broken_rows,
        minIf(content, side = 'good' OR side = 'right') AS first_content,
        maxIf(content, side = 'good' OR side = 'right') AS last_content,
        minIf(content, side = 'good') AS first_good_content,
        maxIf(content, side = 'good') AS last_good_content,
        minIf(place, side != 'right') AS first_place,
        maxIf(place, side != 'right') AS last_place,
        minIf(partition, side != 'right') AS first_partition,
        maxIf(partition, side != 'right') AS last_partition,
        min(home) AS first_home, -- where it lies, and where its right row belongs
        max(home) AS last_home,
        minIf(home, side != 'right') AS first_own_home,
        maxIf(home, side != 'right') AS last_own_home,
        maxIf(version, side = 'good') AS good_version,
        maxIf(version, side = 'broken') AS broken_version
    FROM
    (
        SELECT
            sipHash128(tuple(${identity})) AS id,
            toUInt32(toUInt16(toDate(${time}, 'UTC'))) AS day,
            indexOf({subjects:Array(String)}, toString(${subject})) AS subject,
            ${time} >= {window_from:DateTime('UTC')} AND ${time} < {window_to:DateTime('UTC')} AS in_window,
            multiIf(${owned}, if(${broken}, 'broken', 'good'), if(${broken}, 'foreign_broken', 'foreign')) AS side,
            sipHash64(tuple(${content})) AS content,
            cityHash64(tuple(${sorting_key})) AS place,
            cityHash64(_partition_id) AS partition,
            cityHash64(tuple(${partition_key})) AS home,
            ${version} AS version
        FROM ${table}
        WHERE _partition_id IN {partitions:Array(String)}
          AND ${which}
        UNION ALL
        SELECT
            sipHash128(tuple(${identity})) AS id,
            toUInt32(toUInt16(toDate(${time}, 'UTC'))) AS day,
            indexOf({subjects:Array(String)}, toString(${subject})) AS subject,
            1 AS in_window,
            'right' AS side,
            sipHash64(tuple(${content})) AS content,
            0 AS place,
            0 AS partition,
            cityHash64(tuple(${partition_key})) AS home,
            0 AS version
        FROM (${right})
    )
    GROUP BY id
)
