-- How many transactions an hour of the made-up days has.
CREATE TABLE {world:Identifier}.hours
(
    hour DateTime('UTC'),
    expected Float64,
    transactions UInt32
)
ENGINE = MergeTree
ORDER BY hour
