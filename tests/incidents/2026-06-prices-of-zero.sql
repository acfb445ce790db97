-- The right rows of line_items, from its source, for a range of time and of the source's key.
SELECT
    seq AS line_no,
    shop,
    happened AS sold_at,
    units,
    toInt64(units) * price_cents AS amount_cents,
    price_cents,
    'till' AS channel
FROM
(
    SELECT seq, shop, article, happened, units
    FROM till_records FINAL
    WHERE seq >= {key_from:UInt64} AND seq < {key_to:UInt64}
      AND happened >= {time_from:DateTime('UTC')} AND happened < {time_to:DateTime('UTC')}
) AS records
INNER JOIN price_list FINAL ON records.article = price_list.article
