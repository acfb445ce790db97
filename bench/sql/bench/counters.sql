-- Rows and bytes that the server has read and written since it was started.
SELECT name, sum(value) AS value
FROM
(
    SELECT event AS name, value FROM system.events
    UNION ALL
    SELECT arrayJoin(['SelectedRows', 'SelectedBytes', 'InsertedRows']) AS name, 0 AS value
)
WHERE name IN ('SelectedRows', 'SelectedBytes', 'InsertedRows')
GROUP BY name
