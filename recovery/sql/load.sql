-- How busy the server is: other queries, merges of all tables, parts of the fullest affected partition, free share of the
-- fullest disk.
SELECT
    (SELECT count() FROM system.processes WHERE query_id != queryID()) AS running_queries,
    (SELECT count() FROM system.merges) AS running_merges,
    (
        SELECT max(parts)
        FROM
        (
            SELECT count() AS parts
            FROM system.parts
            WHERE database = {database:String} AND table = {table:String} AND active
              AND partition_id IN {partitions:Array(String)}
            GROUP BY partition_id
        )
    ) AS parts_in_partition,
    (SELECT min(100 * unreserved_space / total_space) FROM system.disks WHERE total_space > 0) AS free_disk_percent
