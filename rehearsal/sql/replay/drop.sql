-- A database with all that is in it.
DROP DATABASE IF EXISTS {database:Identifier} SYNC
