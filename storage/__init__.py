"""The database, accessed through `storage.store.Store` only."""
