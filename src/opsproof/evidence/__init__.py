"""Evidence: canonical records, sealed bundles, the ledger, and checking all of it."""
