-- Remove the broken rows of the window whose fill has a good row, one by one looked up among the good rows of broken fills.
ALTER TABLE ${table} DELETE
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
