-- How far a statement of the suite is: rows that it has read, and about how many it will. While parts or joined tables are
-- opened one after another the server adds up their rows only then. The marks it chose to read, of 8,192 rows each, say more.
SELECT
    toFloat64(read_rows) AS done,
    toFloat64(if(total_rows_approx < 0.8 * marked, marked, total_rows_approx)) AS total,
    8192 * ProfileEvents['SelectedMarks'] AS marked
FROM system.processes
WHERE (query_id = {label:String} OR Settings['log_comment'] = {label:String}) AND query_id != queryID()
LIMIT 1
