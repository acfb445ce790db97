-- Put one partition into the snapshot: hard links, no copy. Twice would double the rows.
ALTER TABLE ${snapshot} ATTACH PARTITION ID '${partition}' FROM ${table}
