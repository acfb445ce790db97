-- The rows of a board that are not as they must be, by the board's key: its wallet or its rank. Figures may differ by a
-- millionth, or by a millionth of their size.
SELECT concat(key, if(rows = 0, ' is lost', if(right_rows = 0, ' is extra', concat(': ', arrayStringConcat(changed, ', '))))) AS row
FROM
(
    SELECT
        key, countIf(stored) AS rows, countIf(NOT stored) AS right_rows,
        arrayConcat(
            if(anyIf(wallet, stored) != anyIf(wallet, NOT stored), ['wallet'], []),
            arrayFilter(
                (name, x, y) -> NOT (abs(x - y) <= 1e-6 * greatest(1, abs(y))),
                [{measure:String}, 'total_pnl', 'win_rate', 'trades'], arrayResize(anyIf(figures, stored), 4), arrayResize(anyIf(figures, NOT stored), 4))) AS changed
    FROM
    (
        SELECT 1 AS stored, toString({key:Identifier}) AS key, wallet, [toFloat64({measure:Identifier}), total_pnl, win_rate, toFloat64(trades)] AS figures
        FROM {database:Identifier}.{board:Identifier} FINAL
        UNION ALL
        SELECT 0, toString({key:Identifier}), wallet, [toFloat64({measure:Identifier}), total_pnl, win_rate, toFloat64(trades)]
        FROM rehearsal.{board:Identifier} FINAL
    )
    GROUP BY key
)
WHERE rows != 1 OR right_rows != 1 OR notEmpty(changed)
ORDER BY row
SETTINGS max_bytes_before_external_group_by = 1500000000
