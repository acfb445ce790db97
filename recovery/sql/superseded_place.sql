-- Note where the superseded rows of one range and share lie in the parts of the table.
INSERT INTO ${target} (places)
SELECT groupBitmapState(${place_in_parts})
FROM ${table}
WHERE ${superseded} AND _part IN {parts:Array(String)}
