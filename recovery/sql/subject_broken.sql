-- The transactions of one subject's fills that are broken and still in the table.
SELECT DISTINCT tx_hash AS transaction
FROM ${table} ${final}
WHERE ${subject} = {subject:String} AND ${broken}
