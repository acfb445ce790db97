-- The history of the nightly checks. No TTL here: the rehearsal plays in its own month.
CREATE TABLE pm_data_quality_metrics
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
