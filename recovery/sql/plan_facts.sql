-- What the server and the table have that a plan can founder on, in one row that all of preflight's questions share.
-- A setting of the table itself goes before the server's, and one of the login before the server's where it was changed.
SELECT
    engine,
    version() AS version,
    storage_policy,
    extractAllGroupsVertical(engine_full, '(\\w+) = ''?([^,'' ]+)') AS own_settings,
    (
        SELECT groupArray((name, value))
        FROM system.merge_tree_settings
        WHERE name IN ('deduplicate_merge_projection_mode', 'lightweight_mutation_projection_mode',
            'non_replicated_deduplication_window', 'replicated_deduplication_window', 'max_parts_to_merge_at_once')
    ) AS server_settings,
    (
        SELECT groupArray((q.name, if(q.changed OR s.value = '', q.value, s.value)))
        FROM system.settings AS q
        LEFT JOIN system.server_settings AS s ON q.name = s.name
        WHERE q.name IN ('max_partition_size_to_drop', 'max_table_size_to_drop', 'insert_deduplicate',
            'deduplicate_insert', 'deduplicate_insert_select')
    ) AS settings,
    (
        SELECT groupArray(name)
        FROM system.projections
        WHERE database = {database:String} AND table = {table:String}
    ) AS projections,
    (
        -- A login that may not see a view still sees that the table has it.
        SELECT groupArray((v.view.1, v.view.2, extract(t.create_table_query, '^CREATE MATERIALIZED VIEW \\S+ TO (\\S+)')))
        FROM
        (
            SELECT arrayJoin(arrayZip(dependencies_database, dependencies_table)) AS view
            FROM system.tables
            WHERE database = {database:String} AND name = {table:String}
        ) AS v
        LEFT JOIN system.tables AS t ON v.view.1 = t.database AND v.view.2 = t.name
    ) AS views,
    (
        SELECT groupArray((replica_name, is_readonly OR is_session_expired, absolute_delay,
            if(queue_size = 0, 0, dateDiff('second', queue_oldest_time, now())), queue_size, total_replicas - active_replicas))
        FROM system.replicas
        WHERE database = {database:String} AND table = {table:String}
    ) AS replicas,
    (
        SELECT groupArray((partition_id, parts, idle))
        FROM
        (
            SELECT
                partition_id,
                count() AS parts,
                countIf(min_block_number = max_block_number AND modification_time < now() - {idle_seconds:UInt32}) AS idle
            FROM system.parts
            WHERE database = {database:String} AND table = {table:String} AND active
                AND partition_id IN {partitions:Array(String)}
            GROUP BY partition_id
        )
    ) AS parts
FROM system.tables
WHERE database = {database:String} AND name = {table:String}
