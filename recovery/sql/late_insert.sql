-- Catch up: insert the rows of one range that came meanwhile, as they were written.
INSERT INTO ${table} (${stored})
SELECT ${stored}
FROM (${late_rows})
