-- How many rows a board has, and when they were written.
SELECT
    count() AS rows,
    toUnixTimestamp(min(${board_updated})) AS oldest,
    toUnixTimestamp(max(${board_updated})) AS newest
FROM ${board} FINAL
