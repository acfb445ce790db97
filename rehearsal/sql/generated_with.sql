-- With which rows, seed and days of history the incident was generated.
SELECT rows, seed, days FROM rehearsal.generated
