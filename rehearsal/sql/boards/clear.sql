-- What an earlier refresh left would show where the new one has no row.
TRUNCATE TABLE {database:Identifier}.{board:Identifier}
