-- Whether the quarantine table is there.
EXISTS TABLE ${quarantine}
