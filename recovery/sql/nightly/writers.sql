-- What the SELECTs of two writers give for a range: identities of one of them, of both alike, of both and different.
-- A hash is added for each row of the left and taken away for each of the right, so that equal ones add up to nothing.
SELECT
    sum(left_rows) AS left_rows,
    sum(right_rows) AS right_rows,
    countIf(class = 'same') AS same,
    countIf(class = 'left') AS only_left,
    countIf(class = 'right') AS only_right,
    countIf(class = 'different') AS different,
    countIf(left_rows > 1) AS left_doubled,
    countIf(right_rows > 1) AS right_doubled,
    sumForEachIf(arrayMap(off -> toUInt64(off != 0), cells), class = 'different' AND left_rows = right_rows) AS columns,
    groupArraySortedIf(5)(identity, class = 'left') AS sample_left,
    groupArraySortedIf(5)(identity, class = 'right') AS sample_right,
    groupArraySortedIf(5)(identity, class = 'different') AS sample_different
FROM
(
    SELECT
        identity,
        left_rows,
        right_rows,
        cells,
        multiIf(
            right_rows = 0, 'left',
            left_rows = 0, 'right',
            left_rows = right_rows AND content = 0, 'same',
            'different') AS class
    FROM
    (
        SELECT
            id,
            any(identity) AS identity,
            countIf(sign = 1) AS left_rows,
            countIf(sign = -1) AS right_rows,
            sum(content * sign) AS content,
            sumForEach(arrayMap(cell -> cell * sign, cells)) AS cells
        FROM
        (
            SELECT
                sipHash128(tuple(${identity})) AS id,
                toString(tuple(${identity})) AS identity,
                reinterpretAsInt128(sipHash128(tuple(${content}))) AS content,
                [${cells}] AS cells,
                toInt8(1) AS sign
            FROM (${left})
            UNION ALL
            SELECT
                sipHash128(tuple(${identity})) AS id,
                toString(tuple(${identity})) AS identity,
                reinterpretAsInt128(sipHash128(tuple(${content}))) AS content,
                [${cells}] AS cells,
                toInt8(-1) AS sign
            FROM (${right})
        )
        GROUP BY id
    )
)
