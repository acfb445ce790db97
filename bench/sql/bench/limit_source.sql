-- The same of the source, in the window.
SELECT sum(sipHash64(${columns})) AS hash
FROM ${table}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
