-- Move a partition of a staging table into the table that its rows are for.
ALTER TABLE ${staging} MOVE PARTITION ID '${partition}' TO TABLE ${target}
