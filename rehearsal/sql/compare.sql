-- Compares the fills and the quarantine with the truth: what is wrong, or worth knowing, how often, and some examples.
-- Rows are read plainly; repeats with equal content are one row. Every column counts but the version. A fill is known by the
-- 64-bit hash of its id, and its content by another.
SELECT finding, count() AS fills, arraySort(groupArraySample(5, 1)(id)) AS sample
FROM
(
    SELECT
        id,
        multiIf(
            class = '', ['extra'],
            class = 'foreign', if(stored AND lowest = right AND highest = right, [], ['foreign changed']),
            class = 'orphan', arrayConcat(
                ['orphan'],
                if(aside AND aside_lowest = right AND aside_highest = right, ['orphan in quarantine'], []),
                if(stored, ['orphan in place'], []),
                if(NOT stored AND NOT aside, ['lost'], []),
                if((stored AND (lowest != right OR highest != right)) OR (aside AND (aside_lowest != right OR aside_highest != right)), ['different'], [])),
            arrayConcat(
                multiIf(
                    NOT stored AND class = 'late' AND NOT in_window, ['late outside'],
                    NOT stored, ['lost'],
                    empty AND NOT in_window, ['broken outside'],
                    lowest != highest, ['doubled'],
                    lowest != right, ['different'],
                    []),
                if(aside, ['extra'], []))) AS findings
    FROM
    (
        SELECT
            id,
            anyIf(class, origin = 'truth') AS class,
            maxIf(content, origin = 'truth') AS right,
            maxIf(event_time >= {window_start:DateTime('UTC')} AND event_time < {window_end:DateTime('UTC')}, origin = 'truth') AS in_window,
            countIf(origin = 'stored') > 0 AS stored,
            minIf(content, origin = 'stored') AS lowest,
            maxIf(content, origin = 'stored') AS highest,
            countIf(origin = 'stored' AND condition_id = '') > 0 AS empty,
            countIf(origin = 'aside') > 0 AS aside,
            minIf(content, origin = 'aside') AS aside_lowest,
            maxIf(content, origin = 'aside') AS aside_highest
        FROM
        (
            SELECT 'truth' AS origin, class, id, content, event_time, 'unknown' AS condition_id
            FROM rehearsal.truth
            UNION ALL
            SELECT
                origin, '', cityHash64(fill_id),
                cityHash64(toUnixTimestamp(event_time), block_number, tx_hash, toString(wallet), condition_id, toUInt8(outcome_index),
                    tokens_delta, usdc_delta, toString(source), toUInt8(is_self_fill), toUInt8(is_maker)),
                event_time, if(condition_id = '', '', 'known')
            FROM
            (
                SELECT 'stored' AS origin, fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                       tokens_delta, usdc_delta, source, is_self_fill, is_maker
                FROM {database:Identifier}.{table:Identifier}
                UNION ALL
                SELECT 'aside', fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                       tokens_delta, usdc_delta, source, is_self_fill, is_maker
                FROM {quarantine_database:Identifier}.{quarantine:Identifier}
            )
        )
        GROUP BY id
    )
)
ARRAY JOIN findings AS finding
GROUP BY finding
SETTINGS max_bytes_before_external_group_by = 1500000000
