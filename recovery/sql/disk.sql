-- Free and total bytes of the disk with the least free space.
SELECT min(unreserved_space) AS free, argMin(total_space, unreserved_space) AS total
FROM system.disks
