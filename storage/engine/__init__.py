"""Connections to SQLite and PostgreSQL, and the differences between them."""
