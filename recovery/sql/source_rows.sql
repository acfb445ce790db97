-- How many source rows and groups the window has.
SELECT count() AS rows, uniq(${group}) AS groups
FROM ${source}
WHERE ${source_time} >= {time_from:DateTime('UTC')} AND ${source_time} < {time_to:DateTime('UTC')}
