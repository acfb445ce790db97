-- Whether the mirror of the ledger is there.
EXISTS TABLE ${ledger}
