-- The lots and shorts of a range of wallets, first in first out. Amounts are whole millionths until the last step.
-- Lots are buys of one transaction, in order of time, and sells consume them by cumulative quantity. Where lots end among the sells
-- is found by sorting the ends of both together, so that cost grows with the fills and not with their square.
INSERT INTO ${target}
    (tx_hash, wallet, condition_id, outcome_index, entry_time, tokens, cost_usd, tokens_sold_early, tokens_held, exit_value,
     pnl_usd, roi, pct_sold_early, is_maker, resolved_at, is_short)
WITH
    counted AS
    (
        SELECT
            wallet, condition_id, outcome_index, tx_hash, fill_id, event_time, is_maker,
            toInt64(round(tokens_delta * 1e6)) AS tokens,
            toInt64(round(usdc_delta * 1e6)) AS dollars
        FROM ${table} ${final}
        WHERE wallet >= {subject_from:String} AND wallet < {subject_to:String}
          AND event_time < {cutoff:DateTime('UTC')}
          AND condition_id IN (SELECT condition_id FROM ${conditions})
          AND ${counted}
    ),
    held AS
    (
        SELECT
            wallet, condition_id, outcome_index,
            groupArrayIf((tx_hash, event_time, tokens, dollars, is_maker), tokens > 0) AS buys,
            groupArrayIf((event_time, fill_id, -tokens, dollars), tokens < 0) AS sells
        FROM counted
        GROUP BY wallet, condition_id, outcome_index
    ),
    ordered AS
    (
        SELECT
            wallet, condition_id, outcome_index, resolved_at,
            payouts[outcome_index + 1] AS payout,
            arraySort(arrayFilter(sell -> sell.1 < resolved_at, sells)) AS sold,
            arraySort(buys) AS by_tx,
            arrayMap((buy, n) -> n = 1 OR buy.1 != by_tx[n - 1].1, by_tx, arrayEnumerate(by_tx)) AS begins,
            -- of each lot: entry, transaction, tokens, dollars with their sign, cost, whether any of it was a maker's
            arraySort(arrayMap(lot -> (
                arrayMin(buy -> buy.2, lot), lot[1].1, arraySum(buy -> buy.3, lot), arraySum(buy -> buy.4, lot),
                arraySum(buy -> abs(buy.4), lot), arrayMax(buy -> buy.5, lot)),
                arraySplit((buy, begin) -> begin, by_tx, begins))) AS lots
        FROM held
        INNER JOIN ${conditions} AS c USING (condition_id)
    ),
    summed AS
    (
        SELECT
            *,
            arrayCumSum(lot -> lot.3, lots) AS lot_ends,
            arrayCumSum(sell -> sell.3, sold) AS sell_ends,
            arrayPushFront(arrayCumSum(sell -> sell.4, sold), 0) AS proceeds,
            arraySort(arrayConcat(arrayMap(end -> (end, 0), sell_ends), arrayMap(end -> (end, 1), lot_ends))) AS ends,
            -- how many sells had ended where a lot ends
            arrayMap(pair -> pair.1, arrayFilter(pair -> pair.2, arrayZip(
                arrayCumSum(end -> end.2 = 0, ends), arrayMap(end -> end.2 = 1, ends)))) AS sells_ended,
            ifNull(arrayLast(end -> true, lot_ends), 0) AS bought,
            ifNull(arrayLast(end -> true, sell_ends), 0) AS all_sold,
            ifNull(arrayLast(sum -> true, proceeds), 0) AS all_proceeds
        FROM ordered
    ),
    consumed AS
    (
        SELECT
            *,
            -- proceeds up to the end of a lot: of whole sells, and of the part of the one that goes on beyond it
            arrayPushFront(arrayMap(n -> proceeds[n + 1], sells_ended), 0) AS of_whole,
            arrayPushFront(arrayMap((end, n) -> if(n >= length(sold), 0.,
                (end - if(n = 0, 0, sell_ends[n])) / sold[n + 1].3 * sold[n + 1].4), lot_ends, sells_ended), 0.) AS of_part,
            arrayPushFront(lot_ends, 0) AS starts,
            greatest(0, all_sold - bought) AS beyond,
            -all_sold + bought AS net,
            all_proceeds + arraySum(lot -> lot.4, lots) AS cash,
            if({legacy:Bool}, -net, beyond) / 1e6 AS short_tokens,
            if({legacy:Bool}, toFloat64(cash), all_proceeds - of_whole[-1] - of_part[-1]) / 1e6 AS short_proceeds,
            if({legacy:Bool},
               arrayMin(arrayConcat(arrayMap(lot -> lot.1, lots), arrayMap(sell -> sell.1, sold))),
               sold[length(arrayFilter(end -> end <= bought, sell_ends)) + 1].1) AS short_entry
        FROM summed
    ),
    made AS
    (
        -- of each row: transaction, entry, tokens, cost, sold, proceeds, maker, short
        SELECT
            wallet, condition_id, outcome_index, resolved_at, payout,
            arrayConcat(
                arrayFilter(lot -> lot.4 >= {least_cost:Float64}, arrayMap((lot, n) -> (
                    lot.2, lot.1, lot.3 / 1e6, lot.5 / 1e6,
                    (least(starts[n + 1], all_sold) - least(starts[n], all_sold)) / 1e6 AS taken,
                    if({legacy:Bool}, if(all_sold = 0, 0., taken / all_sold * all_proceeds),
                       (of_whole[n + 1] - of_whole[n] + of_part[n + 1] - of_part[n]) / 1e6),
                    toUInt8(lot.6), toUInt8(0)), lots, arrayEnumerate(lots))),
                if(short_tokens > {least_short_tokens:Float64} AND short_proceeds > {least_short_proceeds:Float64},
                   [(concat('short_', substring(wallet, 1, 10), '_', substring(condition_id, 1, 10), '_', toString(outcome_index)),
                     short_entry, short_tokens, -short_proceeds, 0., 0., toUInt8(0), toUInt8(1))],
                   [])) AS rows
        FROM consumed
    )
SELECT
    row.1 AS tx_hash, wallet, condition_id, outcome_index,
    row.2 AS entry_time,
    row.3 AS tokens,
    row.4 AS cost_usd,
    row.5 AS tokens_sold_early,
    tokens - tokens_sold_early AS tokens_held,
    if(row.8, 0 - tokens * payout, row.6 + tokens_held * payout) AS exit_value,
    exit_value - cost_usd AS pnl_usd,
    if(cost_usd = 0, 0., pnl_usd / abs(cost_usd)) AS roi,
    100 * tokens_sold_early / tokens AS pct_sold_early,
    row.7 AS is_maker,
    resolved_at,
    row.8 AS is_short
FROM made
ARRAY JOIN rows AS row
