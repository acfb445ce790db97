-- Whether a table is there.
EXISTS TABLE ${target}
