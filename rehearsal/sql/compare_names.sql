-- The ids of some fills, by their hashes; of the truth, or of the table where the truth has none.
SELECT cityHash64(fill_id) AS id, any(fill_id)
FROM
(
    SELECT fill_id FROM rehearsal.truth WHERE id IN {ids:Array(UInt64)}
    UNION ALL
    SELECT fill_id FROM {database:Identifier}.{table:Identifier} WHERE cityHash64(fill_id) IN {ids:Array(UInt64)}
    UNION ALL
    SELECT fill_id FROM {quarantine_database:Identifier}.{quarantine:Identifier} WHERE cityHash64(fill_id) IN {ids:Array(UInt64)}
)
GROUP BY id
