-- Fills of the conditions, by the first characters of their wallet: where the units of the rebuild can begin.
SELECT substring(wallet, 1, 4) AS prefix, count() AS fills
FROM ${table}
WHERE event_time < {cutoff:DateTime('UTC')}
  AND condition_id IN (SELECT condition_id FROM (${resolved}))
  AND ${counted}
GROUP BY prefix
ORDER BY prefix
