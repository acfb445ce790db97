-- Put one partition of a unit's rows into another table: hard links, no copy. Twice would double the rows.
ALTER TABLE ${target} ATTACH PARTITION ID '${partition}' FROM ${part}
