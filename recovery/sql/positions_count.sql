-- How many rows one month of a table of positions has, as merges would leave them.
SELECT count() AS rows
FROM ${own_table} ${final}
WHERE _partition_id = {month:String}
