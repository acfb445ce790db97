-- Is there a quarantine yet?
EXISTS TABLE {database:Identifier}.{quarantine:Identifier}
