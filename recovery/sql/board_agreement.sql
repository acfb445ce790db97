-- The board's figures against those of the positions of its subjects, aggregated anew: rows, how many differ, and some of them.
SELECT
    count() AS rows,
    countIf(differs) AS differing,
    groupArraySampleIf(5, 1)(shown, differs) AS sample
FROM
(
    SELECT
        ${board_differs} AS differs,
        concat(b.subject, ': ', ${board_shown}) AS shown
    FROM (SELECT toString(${board_subject}) AS subject, ${board_columns} FROM ${board} FINAL) AS b
    LEFT JOIN
    (
        SELECT toString(wallet) AS subject, ${board_figures}
        FROM ${positions} FINAL
        WHERE wallet IN (SELECT ${board_subject} FROM ${board} FINAL)
        GROUP BY wallet
    ) AS p ON b.subject = p.subject
)
