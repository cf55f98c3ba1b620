"""The ledger of paid reads."""
