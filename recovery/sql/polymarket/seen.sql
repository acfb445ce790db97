-- What the files hold: fills, repeats of a fill in one file, fills that only one of two endpoints has, conditions.
SELECT
    (SELECT count() FROM (${fills})) AS fills,
    (SELECT countIf(is_repeat) FROM (${fills})) AS repeats,
    (SELECT if(countIf(in_activity) > 0 AND countIf(has_after) > 0, countIf(in_activity != has_after), 0)
        FROM (${fills})) AS one_sided,
    (SELECT uniqExact(condition_id) FROM ${stage_tokens}) AS conditions,
    (SELECT uniqExact(condition_id) FROM ${stage_tokens}
        WHERE condition_id NOT IN (SELECT condition_id FROM ${stage_ends})) AS without_end
