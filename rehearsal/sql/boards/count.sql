-- How many rows a board has.
SELECT count() FROM {database:Identifier}.{board:Identifier} FINAL
