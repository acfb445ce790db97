-- Some identities of a class of the balance, from where they still are: the snapshot ${baseline} or the table.
SELECT DISTINCT ${identity}
FROM
(
    SELECT ${identity} FROM ${baseline} WHERE sipHash128(tuple(${identity})) IN
        (SELECT id FROM (${accounts}) WHERE class = {class:String} ORDER BY id LIMIT {limit:UInt32})
    UNION ALL
    SELECT ${identity} FROM ${table} WHERE _partition_id IN {partitions:Array(String)} AND sipHash128(tuple(${identity})) IN
        (SELECT id FROM (${accounts}) WHERE class = {class:String} ORDER BY id LIMIT {limit:UInt32})
)
LIMIT {limit:UInt32}
