-- Remove the broken rows of the window whose fill has a good row, decided on the identity itself. Good rows of broken fills
-- are all that is kept in memory, and the partition is named: other parts are not looked at.
ALTER TABLE ${table} DELETE IN PARTITION ID '${partition}'
WHERE source = 'clob' AND condition_id = ''
  AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
  AND fill_id IN
  (
      SELECT fill_id
      FROM ${table}
      WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id != ''
        AND fill_id IN
        (
            SELECT fill_id
            FROM ${table}
            WHERE _partition_id IN {partitions:Array(String)} AND source = 'clob' AND condition_id = ''
              AND event_time >= {time_from:DateTime('UTC')} AND event_time < {time_to:DateTime('UTC')}
        )
  )
SETTINGS mutations_sync = 2, allow_nondeterministic_mutations = 1
