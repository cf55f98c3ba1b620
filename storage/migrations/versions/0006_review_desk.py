"""Add the review desk: accounts, rules, freezes, an append-only audit log, and editorial fields.

Revision: 0006, after 0005
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from storage.engine.connect import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Sequence

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_json = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_AT_ONCE = 5000  # rows
_TABLES = (
    "alert", "sign_in_failure", "session", "account", "freeze", "rule", "handout", "held_edit", "activity_link",
)  # fmt: skip
_ADDED: dict[str, Sequence[sa.Column[Any]]] = {
    "stream": (
        sa.Column("audit_last", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("audit_hash", sa.Text(), nullable=False, server_default=""),
    ),
    "source": (
        sa.Column("delay", sa.Integer(), nullable=True),
        sa.Column("on_edit", sa.Text(), nullable=False, server_default="stay"),
        sa.Column("trusted", _json, nullable=True),
        sa.Column("managed", sa.Text(), nullable=False, server_default=""),
    ),
    "audit": (
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("hash", sa.Text(), nullable=False, server_default=""),
    ),
    "activity": (
        sa.Column("reviewer", sa.Text(), nullable=True),
        sa.Column("review_rule", sa.BigInteger(), nullable=True),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("pinned_until", UtcDateTime(), nullable=True),
    ),
    "transition": (sa.Column("reviewer", sa.Text(), nullable=True),),
}
# The audit log is append-only.
_REFUSED = """
CREATE FUNCTION audit_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the history is append-only';
END $$
"""


def upgrade() -> None:
    for table, columns in _ADDED.items():
        for column in columns:
            op.add_column(table, column)
    op.drop_index("ix_audit_subject", "audit")
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    part = sa.text("batch IS NOT NULL")
    op.create_index("ix_audit_batch", "audit", ["batch"], postgresql_where=part, sqlite_where=part)
    part = sa.text("pinned_until IS NOT NULL")
    op.create_index("ix_activity_pinned_until", "activity", ["pinned_until"], postgresql_where=part, sqlite_where=part)
    _create_what_is_decided_on()
    _create_people()
    _chain()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_REFUSED)
        op.execute(
            "CREATE TRIGGER audit_stands BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
            "FOR EACH STATEMENT EXECUTE FUNCTION audit_stands()"
        )
    else:
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_stands_{what.lower()} BEFORE {what} ON audit "
                "BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END"
            )


def _create_what_is_decided_on() -> None:
    op.create_table(
        "activity_link",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("activity_id", _big, nullable=False),
        _of_activity("activity_link"),
        sa.PrimaryKeyConstraint("key", "activity_id", name=op.f("pk_activity_link")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_activity_link_activity_id", "activity_link", ["activity_id"])
    op.create_table(
        "held_edit",
        sa.Column("activity_id", _big, nullable=False, autoincrement=False),
        sa.Column("arrived", UtcDateTime(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("entry_digest", sa.Text(), nullable=False),
        sa.Column("content", _json, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("dealt_with", UtcDateTime(), nullable=True),
        _of_activity("held_edit"),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_held_edit")),
    )
    op.create_table(
        "handout",
        sa.Column("activity_id", _big, nullable=False, autoincrement=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        _of_activity("handout"),
        sa.PrimaryKeyConstraint("activity_id", name=op.f("pk_handout")),
    )
    op.create_index("ix_handout_account", "handout", ["account"])
    op.create_table(
        "rule",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("every", sa.Boolean(), nullable=False),
        sa.Column("conditions", _json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("changed", UtcDateTime(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("acted", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("last_acted", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "freeze",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("source_id", _big, nullable=True),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("begun", UtcDateTime(), nullable=False),
        sa.Column("ended", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_freeze_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_freeze")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_freeze_until", "freeze", ["until"])


def _create_people() -> None:
    op.create_table(
        "account",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("password_set", UtcDateTime(), nullable=False),
        sa.Column("last_sign_in", UtcDateTime(), nullable=True),
        sa.Column("disabled", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "session",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("account_id", _big, nullable=False),
        sa.Column("created", UtcDateTime(), nullable=False),
        sa.Column("last_used", UtcDateTime(), nullable=False),
        sa.Column("expires", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_session")),
    )
    op.create_index("ix_session_account_id", "session", ["account_id"])
    op.create_index("ix_session_expires", "session", ["expires"])
    op.create_table(
        "sign_in_failure",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last", UtcDateTime(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sign_in_failure")),
    )
    op.create_table(
        "alert",
        sa.Column("id", _big, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("sentence", sa.Text(), nullable=False),
        sa.Column("opened", UtcDateTime(), nullable=False),
        sa.Column("closed", UtcDateTime(), nullable=True),
        sa.Column("told", UtcDateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_try", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alert")),
        sqlite_autoincrement=True,
    )
    part = sa.text("closed IS NULL")
    op.create_index(
        "uq_alert_open", "alert", ["kind", "subject"], unique=True, postgresql_where=part, sqlite_where=part
    )


def _of_activity(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_activity_id")
    return sa.ForeignKeyConstraint(["activity_id"], ["activity.id"], name=name, ondelete="CASCADE")


def _chain() -> None:
    """Hash every row of the audit log: SHA-256 of the previous hash, a line feed, and the row as JSON."""
    connection = op.get_bind()
    audit = sa.table(
        "audit",
        sa.column("id", sa.BigInteger()),
        sa.column("at", UtcDateTime()),
        *(sa.column(name, sa.Text()) for name in ("who", "what", "subject", "batch", "hash")),
        sa.column("detail", _json),
    )
    last, digest = 0, ""
    while rows := connection.execute(
        sa.select(audit).where(audit.c.id > last).order_by(audit.c.id).limit(_AT_ONCE)
    ).all():
        hashes = []
        for row in rows:
            at = row.at.isoformat(timespec="microseconds")
            plain = json.dumps(
                [row.id, at, row.who, row.what, row.subject, row.detail, row.batch],
                sort_keys=True, separators=(",", ":"), ensure_ascii=False,
            )  # fmt: skip
            digest = hashlib.sha256(f"{digest}\n{plain}".encode()).hexdigest()
            hashes.append({"row": row.id, "hash_": digest})
        connection.execute(
            sa.update(audit).where(audit.c.id == sa.bindparam("row")).values(hash=sa.bindparam("hash_")), hashes
        )
        last = rows[-1].id
    stream = sa.table("stream", sa.column("audit_last"), sa.column("audit_hash"))
    connection.execute(sa.update(stream).values(audit_last=last, audit_hash=digest))


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_stands ON audit")
        op.execute("DROP FUNCTION audit_stands()")
    else:
        op.execute("DROP TRIGGER audit_stands_update")
        op.execute("DROP TRIGGER audit_stands_delete")
    for table in _TABLES:
        op.drop_table(table)
    op.drop_index("ix_activity_pinned_until", "activity")
    op.drop_index("ix_audit_batch", "audit")
    op.drop_index("ix_audit_subject", "audit")
    op.create_index("ix_audit_subject", "audit", ["subject"])
    for table, columns in _ADDED.items():
        for column in columns:
            op.drop_column(table, column.name)
