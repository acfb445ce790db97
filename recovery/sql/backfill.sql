-- Insert the right rows of one unit.
INSERT INTO ${target} (${content})
SELECT ${content}
FROM (${right})
