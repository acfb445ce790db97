-- From now on every insert into the table goes to the late rows, too.
CREATE MATERIALIZED VIEW IF NOT EXISTS ${catch} TO ${late} AS
SELECT ${stored}
FROM ${table}
