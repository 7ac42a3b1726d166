"""The object store, the ledger and the health tables."""
