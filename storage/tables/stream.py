"""Tables of the stream: activities, actors, tags, versions and links."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    column,
    false,
    table,
    text,
)

from storage.engine.connect import UtcDateTime
from storage.tables.metadata import big_integer, json_document, metadata

# A single row. `revision` numbers every change of the stream; a writer updates it just before its rows and so holds its
# lock until it commits: revisions become visible in order, without gaps that a follower could skip. `last_tick` is the
# schedulers' heartbeat; the tag fields are the permanent authority and date of `tag:` ids.
stream = Table(
    "stream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("changed", UtcDateTime),  # when a revision was last taken; None: not since this column exists
    Column("trace", Text),  # the `traceparent` of what took the last revision; None: it was not recorded
    Column("last_tick", UtcDateTime),
    Column("tag_authority", Text, nullable=False),
    Column("tag_date", Text, nullable=False),
    Column(
        "instance", Text, nullable=False, server_default=""
    ),  # of this database: revisions of other databases are not comparable
    # The end of the audit log: id and hash of the newest row of `audit`.
    Column("audit_last", BigInteger, nullable=False, server_default="0"),
    Column("audit_hash", Text, nullable=False, server_default=""),
)
actor = Table(
    "actor",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("network", Text, nullable=False),
    Column("native_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("handle", Text),
    Column("url", Text),
    Column("avatar", Text),
    Column("refresh_after", UtcDateTime),  # when its profile is due for a refresh; None: never requested
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("network", "native_id"),
    Index("ix_actor_revision", "revision"),
    Index("ix_actor_network_refresh_after", "network", "refresh_after"),
    sqlite_autoincrement=True,
)
activity = Table(
    "activity",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("source_id", big_integer, ForeignKey("source.id"), nullable=False),
    Column("native_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("object_key", Text),
    # The stable key and the content key, see `aggregator/domain/matching/entry_matching.py`.
    Column("alias", Text),
    Column("likeness", Text),
    Column("kind", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("actor_id", big_integer, ForeignKey("actor.id")),
    # Visible content, NULL in removed rows.
    Column("url", Text),
    Column("title", Text),
    Column("text", Text),
    Column("html", Text),
    Column("lang", Text),
    Column("published", UtcDateTime),
    Column("updated", UtcDateTime),
    Column("detail", json_document),  # media, links, hashtags, mentions, event, flags
    Column("object", json_document),  # the embedded original of a repost or quote
    Column("object_editable_until", UtcDateTime),  # when its author can no longer edit it
    Column("object_actor_id", big_integer),  # its author, whose name and avatar are stored in `actor` only
    Column("quoted_key", Text),  # the post that a reposted quote is about, while it is embedded in the object
    Column("quoted_actor_id", big_integer),  # its author
    Column("thread", Text),  # shared by the posts of an author's thread
    Column("topics", json_document),
    Column("countries", json_document),
    Column("reasons", json_document),  # topic or country -> the matching word
    # The key of its story; "by_hand" if an editor set it, and sources don't change it.
    Column("story", Text),
    Column("story_by_hand", Boolean, nullable=False, server_default=false()),
    Column("search_text", Text),
    # Origin.
    Column("first_seen", UtcDateTime, nullable=False),
    Column("entry_digest", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # State.
    Column("position", UtcDateTime, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("gone", UtcDateTime),
    Column("gone_reason", Text),
    Column("review", Text, nullable=False),
    Column("review_by", Text, nullable=False),
    Column("review_reason", Text, nullable=False),
    Column("reviewed", UtcDateTime),
    Column("reviewer", Text),  # the name of the user who decided
    Column("review_rule", BigInteger),  # the rule that decided
    Column("visible", Boolean, nullable=False),
    # Editors' additions; third-party content is never changed.
    Column("headline", Text),
    Column("note", Text),
    Column("descriptions", json_document),  # of images, by the digest of their addresses
    Column("pinned_until", UtcDateTime),
    UniqueConstraint("source_id", "native_id"),
    Index("ix_activity_source_id_alias", "source_id", "alias"),
    Index("ix_activity_source_id_likeness", "source_id", "likeness"),
    Index("ix_activity_key", "key"),
    Index("ix_activity_story", "story"),
    # Partial, for posts of networks; most items are articles and don't need it.
    Index(
        "ix_activity_object_key",
        "object_key",
        postgresql_where=text("object_key IS NOT NULL"),
        sqlite_where=text("object_key IS NOT NULL"),
    ),
    Index("ix_activity_revision", "revision"),
    Index("ix_activity_actor_id", "actor_id"),
    Index(
        "ix_activity_object_actor_id",
        "object_actor_id",
        postgresql_where=text("object_actor_id IS NOT NULL"),
        sqlite_where=text("object_actor_id IS NOT NULL"),
    ),
    *(
        Index(
            f"ix_activity_{name}",
            name,
            postgresql_where=text(f"{name} IS NOT NULL"),
            sqlite_where=text(f"{name} IS NOT NULL"),
        )
        for name in ("thread", "quoted_key", "quoted_actor_id", "object_editable_until")
    ),
    # The public stream in page order. `activity_tag` serves its filters.
    Index("ix_activity_stream", "position", "id", postgresql_where=text("visible"), sqlite_where=text("visible = 1")),
    # Items that are waiting, hidden or quarantined; the stream's indexes serve published ones.
    Index(
        "ix_activity_review",
        "review",
        "id",
        postgresql_where=text("review <> 'published'"),
        sqlite_where=text("review <> 'published'"),
    ),
    # Hidden items that still have content, by the time when they were hidden.
    Index(
        "ix_activity_hidden",
        "reviewed",
        "first_seen",
        postgresql_where=text("review = 'hidden' AND gone IS NULL"),
        sqlite_where=text("review = 'hidden' AND gone IS NULL"),
    ),
    Index(
        "ix_activity_pinned_until",
        "pinned_until",
        postgresql_where=text("pinned_until IS NOT NULL"),
        sqlite_where=text("pinned_until IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)
# Visible activities by filter: "kind:post", "network:x", "source:12", "lang:en", "topic:health", "country:GH",
# "has:media"; for events also "event", whose position is the start time. Triggers keep this table and the search
# words in step with `activity` on every write.
activity_tag = Table(
    "activity_tag",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("position", UtcDateTime, primary_key=True),
    Column("id", big_integer, primary_key=True),
    Index("ix_activity_tag_id", "id"),
    sqlite_with_rowid=False,
)
# The search index: on PostgreSQL (id, position if visible, words tsvector), on SQLite an FTS5 table over
# `activity.search_text`. Not in the metadata, since each database has its own.
activity_words = table(
    "activity_words",
    column("id", BigInteger),
    column("rowid", BigInteger),
    column("position", UtcDateTime),
    column("words"),
)
# Pictures of our own posts, as pages show them.
upload = Table(
    "upload",
    metadata,
    Column("name", Text, primary_key=True),  # part of its SHA-256
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Index("ix_upload_activity_id", "activity_id"),
)
# Former versions of edited activities.
activity_version = Table(
    "activity_version",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the replaced version
    Column("replaced", UtcDateTime, nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("html", Text),
    Column("url", Text),
    Column("detail", json_document),
    Column("object", json_document),
    Column("entry_digest", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Index("ix_activity_version_activity_id", "activity_id"),
    Index("ix_activity_version_replaced", "replaced"),
    sqlite_autoincrement=True,
)
# The newest raw entry of each activity, zlib-compressed.
raw_payload = Table(
    "raw_payload",
    metadata,
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("stored", UtcDateTime, nullable=False),
    Index("ix_raw_payload_stored", "stored"),
)
# Entries with an unknown structure, as their source sent them, zlib-compressed. `version` is the last one that tried.
unread_entry = Table(
    "unread_entry",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("source_id", big_integer, ForeignKey("source.id"), nullable=False),
    Column("native_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("version", Text, nullable=False),
    Column("first_seen", UtcDateTime, nullable=False),
    UniqueConstraint("source_id", "native_id"),
    sqlite_autoincrement=True,
)
# Scheduled transitions: applied as a write with a revision, never evaluated at read time.
transition = Table(
    "transition",
    metadata,
    Column("id", big_integer, primary_key=True, autoincrement=True),
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("review", Text, nullable=False),
    Column("review_by", Text, nullable=False),
    Column("reviewer", Text),
    Column("reason", Text, nullable=False),
    Index("ix_transition_due", "due"),
    Index("ix_transition_activity_id", "activity_id"),
    sqlite_autoincrement=True,
)
# Keys of activities' links ("web:..."), by which items about the same thing are found.
activity_link = Table(
    "activity_link",
    metadata,
    Column("key", Text, primary_key=True),
    Column("activity_id", big_integer, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_activity_link_activity_id", "activity_id"),
    sqlite_with_rowid=False,
)
