-- What the source knows of a fill beyond its own columns, for the nightly checks to tell wrong fills from others: whether the map
-- has its token now, and the day on which the token was first traded.
SELECT
    concat('clob_', event_id) AS fill_id,
    if(token_id IN (SELECT token_id_dec FROM pm_token_to_condition_map_v5 WHERE condition_id != ''), 'yes', 'no') AS token_in_the_map,
    toString(toDate(first_traded, 'UTC')) AS token_first_traded
FROM
(
    SELECT event_id, any(token_id) AS token_id
    FROM pm_trader_events_v3
    WHERE trade_time >= {time_from:DateTime('UTC')} AND trade_time < {time_to:DateTime('UTC')}
    GROUP BY event_id
) AS events
ANY LEFT JOIN
(
    SELECT token_id, min(trade_time) AS first_traded
    FROM pm_trader_events_v3
    WHERE trade_time >= {since:DateTime('UTC')} AND trade_time < {time_to:DateTime('UTC')}
    GROUP BY token_id
) AS tokens USING (token_id)
