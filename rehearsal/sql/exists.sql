-- Is there such a table?
EXISTS TABLE {database:Identifier}.{table:Identifier}
