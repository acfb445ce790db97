-- Fragment: one row per identity of the affected partitions as they were in ${baseline}, as they are, of the quarantine and of the
-- right rows, with the class that accounts for it, in one range of the sorting key. Rows are those that merges would leave.
-- Where the table was found to agree with the source, its good rows of the window are the right ones, and the source is not asked.
SELECT
    id,
    rows_before,
    rows_now,
    multiIf(
        rows_now = 0 AND quarantined > 0, 'quarantined',
        rows_now = 0 AND rows_before > 0, 'lost',
        rows_now = 0, 'missing',
        good_now > 1, 'duplicated',
        good_now = 1 AND broken_now > 0, 'superseded',
        rows_now = rows_before AND hash_now = hash_before AND broken_now = 0, 'clean',
        rows_now = rows_before AND hash_now = hash_before, if(right_rows > 0, 'uncorrected', 'orphan'),
        rows_before = 0 AND right_rows > 0 AND good_content = right_content, 'added',
        rows_before = 0, 'new',
        right_rows > 0 AND good_now = 1 AND good_content = right_content, 'corrected',
        NOT ours AND last_version >= {since_version:UInt64}, 'new',
        'changed') AS class
FROM
(
    SELECT
        id,
        countIf(side = 'before') AS rows_before,
        countIf(side = 'now') AS rows_now,
        countIf(side = 'now' AND broken) AS broken_now,
        countIf(side = 'now' AND NOT broken) AS good_now,
        countIf(side = 'quarantine') AS quarantined,
        countIf(is_right) AS right_rows,
        sumIf(content, side = 'before') AS hash_before,
        sumIf(content, side = 'now') AS hash_now,
        maxIf(content, side = 'now' AND NOT broken) AS good_content,
        maxIf(content, is_right) AS right_content,
        maxIf(version, side = 'now') AS last_version,
        max(ours) AS ours
    FROM
    (
        SELECT
            sipHash128(tuple(${identity})) AS id,
            'before' AS side,
            ${broken} AS broken,
            ${owned} AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')} AS ours,
            sipHash64(tuple(${content})) AS content,
            0 AS version,
            0 AS is_right
        FROM ${baseline} ${final}
        WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
        UNION ALL
        SELECT
            sipHash128(tuple(${identity})) AS id,
            'now' AS side,
            ${broken} AS broken,
            ${owned} AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')} AS ours,
            sipHash64(tuple(${content})) AS content,
            toUInt64(${version}) AS version,
            {agrees:Bool} AND ${owned} AND NOT ${broken}
                AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')} AS is_right
        FROM ${table} ${final}
        WHERE _partition_id IN {partitions:Array(String)} AND ${in_range}
        UNION ALL
        SELECT
            sipHash128(tuple(${identity})) AS id,
            'quarantine' AS side,
            1 AS broken,
            0 AS ours,
            sipHash64(tuple(${content})) AS content,
            0 AS version,
            0 AS is_right
        FROM ${set_aside}
        WHERE {has_quarantine:Bool} AND ${in_range}
          AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        UNION ALL
        SELECT
            sipHash128(tuple(${identity})) AS id,
            'right' AS side,
            0 AS broken,
            1 AS ours,
            sipHash64(tuple(${content})) AS content,
            0 AS version,
            1 AS is_right
        FROM (${right})
    )
    GROUP BY id
)
