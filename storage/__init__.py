"""The database: the only truth. Everything outside sees it through `storage.store.Store`."""
