-- The plan's query 3 of phase 5: the fills of the test wallet, broken and filled.
SELECT
    count() AS total_fills,
    countIf(condition_id = '') AS empty,
    countIf(condition_id != '') AS filled
FROM ${table}
WHERE wallet = {subject:String}
  AND event_time >= {subject_from:DateTime('UTC')}
  AND event_time < {subject_to:DateTime('UTC')}
