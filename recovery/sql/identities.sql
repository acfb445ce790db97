-- Fragment: one row per identity of the affected partitions and of the right rows, with the class that it is in.
SELECT
    id,
    day,
    subject,
    rows,
    broken_rows,
    good_rows,
    foreign_rows,
    first_key != last_key AND broken_rows = 0 AS doubled,
    first_partition != last_partition OR first_home != last_home AS spread,
    multiIf(
        foreign_rows > 0 AND (foreign_rows < rows OR right_rows > 0), 'mixed',
        foreign_rows > 0, if(broken_foreign_rows > 0, 'foreign_broken', 'foreign'),
        NOT in_window, if(broken_rows > 0, 'outside_broken', 'outside'),
        right_rows = 0 AND good_rows > 0, 'unexpected',
        right_rows = 0, 'orphan',
        good_rows = 0 AND broken_rows = 0, 'missing',
        good_rows = 0, 'uncorrected',
        first_content != last_content, 'different',
        broken_rows = 0, 'clean',
        good_version > broken_version, 'corrected',
        'outversioned') AS class
FROM
(
    SELECT
        id,
        if(max(in_window), minIf(day, in_window), min(day)) AS day,
        max(subject) AS subject,
        max(in_window) AS in_window,
        countIf(side != 'right') AS rows,
        countIf(side = 'right') AS right_rows,
        countIf(side = 'good') AS good_rows,
        countIf(side = 'broken') AS broken_rows,
        countIf(side IN ('foreign', 'foreign_broken')) AS foreign_rows,
        countIf(side = 'foreign_broken') AS broken_foreign_rows,
        minIf(content, side IN ('good', 'right')) AS first_content,
        maxIf(content, side IN ('good', 'right')) AS last_content,
        minIf(sorting_key, side != 'right') AS first_key,
        maxIf(sorting_key, side != 'right') AS last_key,
        minIf(partition, side != 'right') AS first_partition,
        maxIf(partition, side != 'right') AS last_partition,
        min(home) AS first_home,
        max(home) AS last_home,
        maxIf(version, side = 'good') AS good_version,
        maxIf(version, side = 'broken') AS broken_version
    FROM
    (
        SELECT
            sipHash128(tuple(${identity})) AS id,
            toDate(${time}, 'UTC') AS day,
            indexOf({subjects:Array(String)}, toString(${subject})) AS subject,
            ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')} AS in_window,
            multiIf(${owned}, if(${broken}, 'broken', 'good'), if(${broken}, 'foreign_broken', 'foreign')) AS side,
            sipHash64(tuple(${content})) AS content,
            sipHash64(tuple(${sorting_key})) AS sorting_key,
            _partition_id AS partition,
            sipHash64(tuple(${partition_key})) AS home,
            ${version} AS version
        FROM ${table}
        WHERE _partition_id IN {partitions:Array(String)}
        UNION ALL
        SELECT
            sipHash128(tuple(${identity})) AS id,
            toDate(${time}, 'UTC') AS day,
            indexOf({subjects:Array(String)}, toString(${subject})) AS subject,
            1 AS in_window,
            'right' AS side,
            sipHash64(tuple(${content})) AS content,
            0 AS sorting_key,
            '' AS partition,
            sipHash64(tuple(${partition_key})) AS home,
            0 AS version
        FROM (${right})
    )
    GROUP BY id
)
