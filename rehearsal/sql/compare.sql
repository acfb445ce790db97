-- Compares the fills and the quarantine with the truth: what is wrong, or worth knowing, how often, and some examples.
-- Rows are read plainly; repeats with equal content are one row. Every column counts but the version.
SELECT finding, count() AS fills, arraySort(groupArraySample(5, 1)(fill_id)) AS sample
FROM
(
    SELECT
        fill_id,
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
            fill_id,
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
            SELECT
                origin, class, fill_id, event_time, condition_id,
                cityHash64(toUnixTimestamp(event_time), block_number, tx_hash, toString(wallet), condition_id, toUInt8(outcome_index),
                    tokens_delta, usdc_delta, toString(source), toUInt8(is_self_fill), toUInt8(is_maker)) AS content
            FROM
            (
                SELECT 'truth' AS origin, class, fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                       tokens_delta, usdc_delta, source, is_self_fill, is_maker
                FROM rehearsal.truth
                UNION ALL
                SELECT 'stored', '', fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                       tokens_delta, usdc_delta, source, is_self_fill, is_maker
                FROM {database:Identifier}.{table:Identifier}
                UNION ALL
                SELECT 'aside', '', fill_id, event_time, block_number, tx_hash, wallet, condition_id, outcome_index,
                       tokens_delta, usdc_delta, source, is_self_fill, is_maker
                FROM {quarantine_database:Identifier}.{quarantine:Identifier}
            )
        )
        GROUP BY fill_id
    )
)
ARRAY JOIN findings AS finding
GROUP BY finding
