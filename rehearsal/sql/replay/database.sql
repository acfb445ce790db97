-- A database of its own, which is empty at first.
CREATE DATABASE {database:Identifier}
