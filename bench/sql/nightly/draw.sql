-- Halves of trades, numbers first to last of rows, in the order of their time: a maker's and a taker's of each transaction.
-- The same number is always the same half, so that fills and events are drawn apart and agree. Wallets and conditions are
-- skewed: the busiest wallet has some six percent of the rows of its role.
SELECT
    number AS n,
    intDiv(number, 2) AS trade,
    toUInt8(number % 2) AS maker,
    multiIf(trade % 50 = 47, 'ctf_token', trade % 50 = 48, 'ctf_cash', trade % 50 = 49, 'negrisk', 'clob') AS kind,
    concat('0x', lower(hex(sipHash128('transaction', trade))), lower(hex(sipHash128('transaction, more', trade)))) AS transaction,
    concat(
        transaction, '_0x', lower(hex(sipHash128('order', n))), lower(hex(sipHash128('order, more', n))), if(maker = 1, '-m', '-t')
    ) AS half,
    2 * toUInt64(pow(cityHash64('wallet', n) / pow(2, 64), 4) * 84999.99) + maker AS subject,
    substring(lower(concat(hex(sipHash128('subject', subject)), hex(sipHash128('subject, more', subject)))), 1, 40) AS address,
    toUInt64(pow(cityHash64('condition', trade) / pow(2, 64), 2) * 29999.99) AS market,
    lower(concat(hex(sipHash128('market', market)), hex(sipHash128('market, more', market)))) AS condition,
    toUInt8(cityHash64('outcome', trade) % 2) AS outcome,
    toUInt64(exp(cityHash64('size', trade) / pow(2, 64) * 8.5) * 1e6) AS millionths,
    toUInt64(floor(millionths * (1 + cityHash64('price', trade) % 99) / 100)) AS paid,
    cityHash64('side', trade) % 2 = maker AS buys,
    toDateTime(toUnixTimestamp('2026-01-01 00:00:00', 'UTC') + intDiv(number * (31 * 86400), {rows:UInt64}), 'UTC') AS moment
FROM numbers({first:UInt64}, {count:UInt64})
