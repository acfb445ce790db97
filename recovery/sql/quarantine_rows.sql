-- What the quarantine holds of the window, each row once.
SELECT uniqExact(${identity}) AS identities, countIf(NOT ${broken}) AS good
FROM ${quarantine}
WHERE ${time} >= {time_from:DateTime('UTC')} AND ${time} < {time_to:DateTime('UTC')}
