-- The plan's query 3 of phase 3: the fills of the test wallet, to look for pairs.
SELECT
    fill_id,
    event_time,
    condition_id,
    outcome_index,
    _version
FROM ${table}
WHERE wallet = {subject:String}
  AND event_time >= {subject_from:DateTime('UTC')}
  AND event_time < {subject_to:DateTime('UTC')}
ORDER BY event_time DESC, _version DESC
LIMIT 100
