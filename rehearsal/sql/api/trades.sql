-- The trades of one user as the outside world knows them, the oldest first, in the data API's words: whatever our map
-- knows, and without the maker halves of self-fills. Amounts also in millionths, prices in dollars.
SELECT
    c.tokens[h.outcome + 1] AS asset,
    concat('0x', c.condition_id) AS conditionId,
    h.wallet AS proxyWallet,
    if(h.is_buy, 'BUY', 'SELL') AS side,
    h.tokens / 1e6 AS size,
    round(h.usdc / h.tokens, 10) AS price,
    h.usdc / 1e6 AS usdcSize,
    toUnixTimestamp(h.at) AS timestamp,
    h.tx_hash AS transactionHash,
    h.outcome AS outcomeIndex,
    outcomes[h.outcome + 1] AS outcome,
    concat('Question ', c.kind, ' ', toString(c.created), ' number ', toString(c.rank), '?') AS title,
    concat(c.kind, '-', toString(c.created), '-', toString(c.rank)) AS slug,
    slug AS eventSlug,
    -- what is not told of a trade, but of its position
    h.tokens AS millionths,
    h.usdc AS paid,
    h.is_maker AS maker,
    if(length(c.tokens) = 2, ['Yes', 'No'], arrayMap(i -> concat('Outcome ', toString(i)), range(length(c.tokens)))) AS outcomes,
    (h.outcome + 1) % length(c.tokens) AS opposite,
    c.tokens[opposite + 1] AS oppositeAsset,
    outcomes[opposite + 1] AS oppositeOutcome,
    r.condition_id != '' AS resolved,
    if(resolved, r.numerators[h.outcome + 1] / arraySum(r.numerators), if(h.outcome = 0, c.price, (1 - c.price) / (length(c.tokens) - 1))) AS curPrice,
    formatDateTime(if(resolved, r.resolved_at, c.created + INTERVAL 90 DAY), '%Y-%m-%dT00:00:00Z', 'UTC') AS endDate
FROM rehearsal.halves AS h
INNER JOIN
(
    SELECT * FROM rehearsal.conditions
    WHERE (kind, created, rank) IN (SELECT kind, created, rank FROM rehearsal.halves WHERE wallet = {user:String})
) AS c ON h.kind = c.kind AND h.created = c.created AND h.rank = c.rank
LEFT JOIN
(
    SELECT condition_id, resolved_at, JSONExtract(payout_numerators, 'Array(Float64)') AS numerators
    FROM pm_condition_resolutions FINAL
    WHERE is_deleted = 0 AND payout_numerators != ''
) AS r ON c.condition_id = r.condition_id
WHERE h.wallet = {user:String} AND NOT (h.is_self AND h.is_maker)
ORDER BY h.at, h.event_id
