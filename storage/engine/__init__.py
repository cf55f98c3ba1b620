"""Connections to SQLite and PostgreSQL, and what differs between them."""
