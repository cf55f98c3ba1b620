"""Table definitions, the same on SQLite and PostgreSQL; importing the package defines them all."""

from storage.tables import access, api, billing, compliance, migrations, moderation, monitoring, polling, stream

__all__ = ["access", "api", "billing", "compliance", "migrations", "moderation", "monitoring", "polling", "stream"]
