-- The disks that the table's storage policy writes to: free and total bytes of the fullest, and which cannot be written.
SELECT
    min(unreserved_space) AS free,
    argMin(total_space, unreserved_space) AS total,
    count() AS disks,
    groupArrayIf(name, is_read_only OR is_write_once OR is_broken) AS unwritable
FROM system.disks
WHERE name IN
(
    SELECT arrayJoin(disks)
    FROM system.storage_policies
    WHERE policy_name = (SELECT storage_policy FROM system.tables WHERE database = {database:String} AND name = {table:String})
)
