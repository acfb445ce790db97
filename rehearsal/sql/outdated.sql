-- The bytes of parts that were merged into others and are not removed yet, and of those that are being merged.
SELECT
    (SELECT sum(bytes_on_disk) FROM system.parts WHERE NOT active AND database != 'system')
    + (SELECT sum(total_size_bytes_compressed) FROM system.merges)
