-- The first of a board, as it is now.
SELECT row_number() OVER (ORDER BY ${board_rank}, ${board_subject}) AS place, ${board_subject} AS subject, ${board_columns}
FROM ${board} FINAL
ORDER BY place
LIMIT {limit:UInt64}
