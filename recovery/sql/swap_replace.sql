-- Put the shadow's partition in place of the table's: at once, for every reader.
ALTER TABLE ${table} REPLACE PARTITION ID '${partition}' FROM ${shadow}
