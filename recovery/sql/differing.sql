-- Fragment: rows of the window that a restore of ${snapshot} changes, and rows that it leaves although the snapshot has not got them, as FINAL shows them.
-- 'insert': the table lacks it. 'remove': the suite wrote it, or an earlier restore of ${earlier} brought it. 'later': others did.
SELECT
    multiIf(NOT here, 'insert', ours OR earlier OR {take_back:Bool}, 'remove', 'later') AS side,
    id,
    identity
FROM
(
    SELECT
        id,
        any(identity) AS identity,
        max(side = 'table') AS here,
        max(side = 'snapshot') AS there,
        max(side = 'earlier') AS earlier,
        max(ours) AS ours
    FROM
    (
        SELECT
            sipHash128(tuple(${stored})) AS id,
            sipHash128(tuple(${identity})) AS identity,
            'table' AS side,
            ${owned} AND NOT ${broken}
                AND arrayExists(span -> ${version} BETWEEN span.1 AND span.2, {spans:Array(Tuple(UInt64, UInt64))}) AS ours
        FROM ${table} ${final}
        WHERE _partition_id IN {partitions:Array(String)}
          AND ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        UNION ALL
        SELECT sipHash128(tuple(${stored})) AS id, sipHash128(tuple(${identity})) AS identity, 'snapshot' AS side, 0 AS ours
        FROM ${snapshot} ${final}
        WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
        UNION ALL
        SELECT sipHash128(tuple(${stored})) AS id, sipHash128(tuple(${identity})) AS identity, 'earlier' AS side, 0 AS ours
        FROM ${earlier} ${final}
        WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
    )
    GROUP BY id
)
WHERE here != there AND (here OR there)
