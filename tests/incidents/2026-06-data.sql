-- The third incident: ten days of a shop, 300 till records a day; from 8 to 10 June articles that
-- the price list did not have were stored at 0 cents. The list has got most of them since.
CREATE TABLE till_records
(
    seq UInt64,
    shop UInt16,
    article UInt32,
    happened DateTime('UTC'),
    units UInt8
)
ENGINE = ReplacingMergeTree
ORDER BY seq;

CREATE TABLE price_list
(
    article UInt32,
    price_cents UInt32
)
ENGINE = ReplacingMergeTree
ORDER BY article;

CREATE TABLE line_items
(
    line_no UInt64,
    shop UInt16,
    sold_at DateTime('UTC'),
    units UInt8,
    amount_cents Int64,
    price_cents UInt32,
    channel LowCardinality(String),
    written UInt32 DEFAULT toUnixTimestamp(now())
)
ENGINE = ReplacingMergeTree(written)
PARTITION BY toMonday(sold_at)
ORDER BY (shop, line_no);

CREATE TABLE jobs
(
    cron_name String,
    executed_at DateTime,
    status String
)
ENGINE = MergeTree
ORDER BY executed_at;

-- Keys of one to four digits: as text they sort otherwise than as numbers.
INSERT INTO till_records
SELECT number + 1, intHash64(number) % 20 + 1, number * 7919 % 500,
       toDateTime('2026-06-02 00:00:00', 'UTC') + number * 288, 1 + number % 3
FROM numbers(3000);

-- Articles 495 to 499 never get a price.
INSERT INTO price_list SELECT number, 100 + number * 31 % 900 FROM numbers(495);

-- What was written right: everything outside the window, and half of the articles inside it.
INSERT INTO line_items (line_no, shop, sold_at, units, amount_cents, price_cents, channel, written)
SELECT seq, shop, happened, units, units * price_cents, price_cents, 'till', toUnixTimestamp(happened)
FROM till_records
INNER JOIN price_list USING (article)
WHERE NOT (happened >= toDateTime('2026-06-08 00:00:00', 'UTC') AND happened < toDateTime('2026-06-11 00:00:00', 'UTC')
           AND article % 2 = 1);

-- And what was not.
INSERT INTO line_items (line_no, shop, sold_at, units, amount_cents, price_cents, channel, written)
SELECT seq, shop, happened, units, 0, 0, 'till', toUnixTimestamp(happened)
FROM till_records
WHERE happened >= toDateTime('2026-06-08 00:00:00', 'UTC') AND happened < toDateTime('2026-06-11 00:00:00', 'UTC')
  AND (article % 2 = 1 OR article >= 495);

-- Rows of another channel, which the till's records do not know; a price of 0 is right there.
INSERT INTO line_items (line_no, shop, sold_at, units, amount_cents, price_cents, channel, written)
SELECT 1000000 + number, number % 20 + 1, toDateTime('2026-06-02 00:00:00', 'UTC') + number * 17280, 1, 0, 0, 'gift',
       toUnixTimestamp(toDateTime('2026-06-02 00:00:00', 'UTC')) + number
FROM numbers(50);

INSERT INTO jobs SELECT 'copy-till-records', toDateTime('2026-06-11 23:55:00', 'UTC'), 'success'
