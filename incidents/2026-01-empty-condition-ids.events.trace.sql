-- On which day the token of an event was first traded, for the nightly checks to tell wrong events from others.
SELECT event_id, toString(toDate(first_traded, 'UTC')) AS token_first_traded
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
