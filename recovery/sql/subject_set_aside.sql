-- The transactions of one subject's fills that are in quarantine: nobody knows of which position they are.
SELECT DISTINCT tx_hash AS transaction
FROM ${quarantine}
WHERE ${subject} = {subject:String}
