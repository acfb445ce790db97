-- Mutations of the table that are not done.
SELECT mutation_id, command, parts_to_do, latest_fail_reason, is_killed
FROM system.mutations
WHERE database = {database:String} AND table = {table:String} AND NOT is_done
ORDER BY create_time
