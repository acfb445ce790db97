-- Where rows lie in parts, a bitmap for each range.
CREATE TABLE ${target} (places AggregateFunction(groupBitmap, UInt64)) ENGINE = MergeTree ORDER BY tuple()
