-- What the affected partitions hold in one range of the sorting key: identities by day, test subject, what their own rows say of
-- them (class), and what became of them since the snapshot ${baseline} was taken (account). Identities are told apart by 64 bits.
-- content is what the good rows of the window hold. rows_before, rows_now and hash are of the rows that merges would leave, and
-- hold where no identity is unsure. account holds where the good rows of the window are those of the source. What is beyond the
-- window is left out where it is not asked for.
SELECT
    toString(toDate(first_day % 65536)) AS day,
    first_day < 65536 AS in_window,
    subject,
    multiIf(
        rows = 0, '',
        bitTest(marks, 0) AND bitTest(marks, 2), 'mixed',
        bitTest(marks, 0), if(bitTest(marks, 1), 'foreign_broken', 'foreign'),
        NOT bitTest(marks, 3), if(broken_rows > 0, 'outside_broken', 'outside'),
        good_rows = 0, 'orphan',
        first_content != last_content, 'different',
        broken_rows = 0, 'clean',
        good_version > broken_version, 'corrected',
        'outversioned') AS class,
    multiIf(
        rows = 0, if(bitTest(marks, 4), 'quarantined', 'lost'),
        rows_now - broken_now > 1, 'duplicated',
        rows_now - broken_now = 1 AND broken_now > 0, 'superseded',
        rows_now = rows_before AND hash = hash_before, if(broken_now > 0, 'orphan', 'clean'),
        rows_before = 0, if(right_now > 0, 'added', 'new'),
        right_now > 0, 'corrected',
        NOT (bitTest(marks, 2) AND bitTest(marks, 3)) AND greatest(good_version, broken_version) >= {since_version:UInt64}, 'new',
        'changed') AS account,
    count() AS identities,
    sum(rows) AS rows,
    sum(broken_rows) AS broken_rows,
    sum(good_rows) AS good_rows,
    countIf(first_place != last_place AND broken_rows = 0) AS doubled,
    countIf(first_home != last_home) AS spread,
    countIf(good_rows > 0 AND bitTest(marks, 3) AND good_version >= {since_version:UInt64}) AS written,
    sumIf(last_content, good_rows > 0) AS content,
    sum(cityHash64(id, rows, broken_rows, first_content, last_content, first_place, last_place, first_home, last_home)) AS told_apart,
    sum(rows_before) AS rows_before,
    sum(rows_now) AS rows_now,
    sum(hash) AS hash,
    countIf(unsure) AS unsure
FROM
(
    SELECT
        id,
        min(first_day) AS first_day,
        max(subject) AS subject,
        -- what it has rows of: of others, of others and broken, of ours, of the window, of quarantine
        groupBitOr(marks) AS marks,
        sum(rows) AS rows,
        sum(broken_rows) AS broken_rows,
        sum(good_rows) AS good_rows,
        minIf(first_content, good_rows > 0) AS first_content,
        max(last_content) AS last_content,
        minIf(place, rows > 0) AS first_place,
        maxIf(place, rows > 0) AS last_place,
        minIf(first_home, rows > 0) AS first_home,
        max(last_home) AS last_home,
        max(good_version) AS good_version,
        max(broken_version) AS broken_version,
        countIf(rows > 0) AS rows_now,
        countIf(rows > 0 AND NOT good_stays) AS broken_now,
        countIf(good_stays AND bitTest(marks, 2) AND bitTest(marks, 3)) AS right_now,
        countIf(before > 0) AS rows_before,
        sum(toUInt128(toUInt64(now))) AS hash,
        sum(toUInt128(toUInt64(before))) AS hash_before,
        max(unsure) OR min(first_kind) != max(last_kind) AS unsure
    FROM
    (
        -- The rows that a merge makes one of. The newest stays. Where two of them are the newest and differ, only FINAL can say.
        SELECT
            id,
            min(if(is_now, day, 4294967295)) AS first_day,
            min(day + if(ours, 0, 131072)) AS first_kind,
            max(day + if(ours, 0, 131072)) AS last_kind,
            maxIf(subject, is_now) AS subject,
            groupBitOr(if(is_now, toUInt8(NOT ours) + 2 * (NOT ours AND broken) + 4 * ours + 8 * (day < 65536),
                16 * (is_aside))) AS marks,
            countIf(is_now) AS rows,
            countIf(is_now AND ours AND broken) AS broken_rows,
            countIf(is_now AND ours AND NOT broken) AS good_rows,
            minIf(content, is_now AND ours AND NOT broken) AS first_content,
            maxIf(content, is_now AND ours AND NOT broken) AS last_content,
            any(place) AS place,
            minIf(home, is_now) AS first_home,
            maxIf(home, is_now) AS last_home,
            maxIf(version, is_now AND NOT broken) AS good_version,
            maxIf(version, is_now AND broken) AS broken_version,
            countIf(is_now AND NOT broken) > 0 AND good_version >= broken_version AS good_stays,
            maxIf(bitShiftLeft(toUInt128(version), 64) + content, is_now) AS now,
            maxIf(bitShiftLeft(toUInt128(version), 64) + bitNot(content), is_now) AS now_inverse,
            maxIf(bitShiftLeft(toUInt128(version), 64) + content, is_before) AS before,
            maxIf(bitShiftLeft(toUInt128(version), 64) + bitNot(content), is_before) AS before_inverse,
            now > 0 AND toUInt64(now) != bitNot(toUInt64(now_inverse))
                OR before > 0 AND toUInt64(before) != bitNot(toUInt64(before_inverse)) AS unsure
        FROM
        (
            SELECT
                1 AS is_now,
                _part IN {shared:Array(String)} AS is_before, -- a part of both: its rows are as they were
                0 AS is_aside,
                sipHash64(tuple(${identity})) AS id,
                toUInt32(toUInt16(toDate(${time}, 'UTC')))
                    + if(${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}, 0, 65536) AS day,
                toUInt8(indexOf({subjects:Array(String)}, toString(${subject}))) AS subject,
                ${owned} != 0 AS ours,
                ${broken} != 0 AS broken,
                sipHash64(tuple(${content})) AS content,
                cityHash64(tuple(${beside_identity})) AS place,
                cityHash64(_partition_id) AS partition,
                cityHash64(_partition_id, tuple(${partition_key})) AS home,
                toUInt64(${version}) AS version
            FROM ${table}
            WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
              AND ({beyond:Bool} OR ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')})
            UNION ALL
            SELECT
                0 AS is_now,
                1 AS is_before,
                0 AS is_aside,
                sipHash64(tuple(${identity})) AS id,
                toUInt32(toUInt16(toDate(${time}, 'UTC')))
                    + if(${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}, 0, 65536) AS day,
                0 AS subject,
                ${owned} != 0 AS ours,
                ${broken} != 0 AS broken,
                sipHash64(tuple(${content})) AS content,
                cityHash64(tuple(${beside_identity})) AS place,
                cityHash64(_partition_id) AS partition,
                0 AS home,
                toUInt64(${version}) AS version
            FROM ${baseline}
            WHERE {has_baseline:Bool} AND _partition_id IN {partitions:Array(String)} AND ${in_range}
              AND _part NOT IN {shared_before:Array(String)}
            UNION ALL
            SELECT
                0 AS is_now,
                0 AS is_before,
                1 AS is_aside,
                sipHash64(tuple(${identity})) AS id,
                toUInt32(toUInt16(toDate(${time}, 'UTC')))
                    + if(${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}, 0, 65536) AS day,
                0 AS subject,
                ${owned} != 0 AS ours,
                ${broken} != 0 AS broken,
                sipHash64(tuple(${content})) AS content,
                cityHash64(tuple(${beside_identity})) AS place,
                0 AS partition,
                0 AS home,
                0 AS version
            FROM ${set_aside}
            WHERE {has_quarantine:Bool} AND (empty({aside_in:Array(String)}) OR _partition_id IN {aside_in:Array(String)}) AND ${in_range}
              AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        )
        GROUP BY id, place, partition
    )
    GROUP BY id
)
GROUP BY 1, 2, 3, 4, 5
