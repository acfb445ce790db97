"""Shows: makes pages from the ledger's lines."""
