-- The columns that the SELECT of a writer gives.
DESCRIBE TABLE (
${writer}
)
