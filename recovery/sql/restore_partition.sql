-- Put one partition back as the snapshot has it.
ALTER TABLE ${table} REPLACE PARTITION ID '${partition}' FROM ${snapshot}
