-- Fragment, a condition: a row whose identity is that of a right row, by 128 bits.
sipHash128(tuple(${identity})) IN (SELECT sipHash128(tuple(${identity})) FROM (${right}))
