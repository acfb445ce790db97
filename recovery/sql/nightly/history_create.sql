-- The history of the nightly checks, for whoever sets the job up. The suite itself only inserts into it.
CREATE TABLE IF NOT EXISTS ${history}
(
    check_name LowCardinality(String),
    check_time DateTime,
    metric_value Float64,
    threshold_warning Float64,
    threshold_critical Float64,
    status LowCardinality(String),
    details String
)
ENGINE = ReplacingMergeTree
ORDER BY (check_name, check_time)
TTL check_time + INTERVAL 30 DAY
