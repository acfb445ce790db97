-- What merges and mutations that a statement waits for have still to do, in bytes of the parts of the tables that it names.
WITH
    at_work AS
    (
        SELECT table, arrayJoin(source_part_names) AS name, progress
        FROM system.merges
        WHERE database = {database:String} AND position({statement:String}, table) > 0
    ),
    waiting AS
    (
        SELECT table, arrayJoin(parts_to_do_names) AS name
        FROM system.mutations
        WHERE database = {database:String} AND position({statement:String}, table) > 0 AND NOT is_done
    )
SELECT sum(parts.bytes_on_disk * (1 - at_work.progress)) AS left
FROM system.parts AS parts
LEFT ANY JOIN at_work ON at_work.table = parts.table AND at_work.name = parts.name
WHERE parts.database = {database:String} AND parts.active
  AND ((parts.table, parts.name) IN (SELECT table, name FROM waiting) OR at_work.name != '')
  AND (position({statement:String}, ' PARTITION ') = 0 OR position({statement:String}, concat('\'', partition_id, '\'')) > 0)
