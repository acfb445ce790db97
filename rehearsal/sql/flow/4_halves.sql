-- Every half is kept in numbers, with the hashes of the fill that has to be made of it.
CREATE MATERIALIZED VIEW rehearsal.made_halves TO rehearsal.halves AS
SELECT
    wallet, kind, created, rank, outcome, batch, n, half, at, is_buy, is_self, tokens, usdc, fee, class,
    cityHash64(concat('clob_', event_id)) AS id,
    cityHash64(toUnixTimestamp(at), block, tx_hash, wallet, if(class = 'orphan', '', condition_id), toUInt8(if(class = 'orphan', 0, outcome)),
        if(is_buy, 1, -1) * (tokens / 1e6), if(is_buy, -1, 1) * (usdc / 1e6), 'clob', is_self, is_maker) AS content
FROM rehearsal.made
