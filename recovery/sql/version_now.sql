-- The version that a row written now would get.
SELECT toUInt64(${version_now}) AS version
