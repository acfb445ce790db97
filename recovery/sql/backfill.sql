-- Insert the right rows of one unit that the table lacks. Repeating it inserts nothing.
INSERT INTO ${table} (${content})
SELECT ${content}
FROM (${lacking})
