-- What ClickHouse's parser makes of a statement, which is not executed: an error where it is not one.
SELECT formatQuerySingleLine({statement:String}) AS parsed
