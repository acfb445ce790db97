-- List the identities that have a right row, by 128 bits, in shares that each fit into memory.
INSERT INTO ${target} (share, id)
SELECT sipHash64(sipHash128(tuple(${identity}))) % {shares:UInt32}, sipHash128(tuple(${identity}))
FROM ${rows}
