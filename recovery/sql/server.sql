-- Which server this is.
SELECT version() AS version, toString(serverUUID()) AS uuid, timezone() AS timezone, hostName() AS host
