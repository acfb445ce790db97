-- A few transactions now; where it is asked for, some of them on the newest condition.
INSERT INTO rehearsal.transactions
WITH
    (tag -> bitShiftRight(cityHash64({seed:UInt64}, {batch:UInt64}, n, tag), 11) * exp2(-53)) AS u,
    (SELECT (max(c.rank), argMax(c.created, c.rank)) FROM rehearsal.conditions AS c WHERE kind = 'live') AS newest
SELECT
    {batch:UInt64}, n, {now:DateTime('UTC')},
    if(on_newest, 'live', p.kind),
    if(on_newest, newest.2, p.created),
    if(on_newest, newest.1, toUInt32(pow(p.size + 1, u('rank'))))
FROM
(
    SELECT
        number AS n,
        {unmapped:UInt8} AND newest.1 > 0 AND number % 3 = 0 AS on_newest,
        if(u('kind') < 0.5, 'old', 'new') AS kind
    FROM numbers({transactions:UInt64})
) AS d
INNER JOIN (SELECT * FROM rehearsal.pools ORDER BY created DESC LIMIT 1 BY kind) AS p ON d.kind = p.kind
