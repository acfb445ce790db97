-- A database for one turn.
CREATE DATABASE ${database}
