"""Metadata and tables, nothing else. The same on SQLite and PostgreSQL."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    column,
    false,
    table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from storage.engine import UtcDateTime

metadata = MetaData(
    naming_convention={  # SQLite can only drop a constraint that has a name
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# none_as_null: "nothing" is SQL NULL, so that a gone row holds no content in any spelling.
_json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
_big = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up only in INTEGER PRIMARY KEY


# One row. `revision` numbers every change of the stream; a writer updates it just before its rows and so holds its
# lock until it commits: the order of revisions is the order in which changes become visible, without gaps that a
# follower could skip. `last_tick` is the schedulers' heartbeat; the tag fields make `tag:` ids, for ever.
stream = Table(
    "stream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("changed", UtcDateTime),  # when a revision was last taken; none: not since that is noted
    Column("last_tick", UtcDateTime),
    Column("tag_authority", Text, nullable=False),
    Column("tag_date", Text, nullable=False),
    Column("instance", Text, nullable=False, server_default=""),  # of this database: revisions of another mean nothing
    # The end of the history: id and hash of the newest row of `audit`.
    Column("audit_last", BigInteger, nullable=False, server_default="0"),
    Column("audit_hash", Text, nullable=False, server_default=""),
)

# Who may be called when, for all workers. `running` maps the token of each request under way to its end at the latest
# (Unix seconds), so that a worker that died gives its turn back.
host = Table(
    "host",
    metadata,
    Column("name", Text, primary_key=True),  # host group and port
    Column("next_start", UtcDateTime, nullable=False),
    Column("running", _json, nullable=False),
    Column("paused_until", UtcDateTime),
    Column("pause_reason", Text),
    Column("strikes", Integer, nullable=False, server_default="0"),  # pauses that it did not say the length of
)

# Which hosts belong together, and what holds for them. The longest suffix that fits a host's name counts.
host_group = Table(
    "host_group",
    metadata,
    Column("suffix", Text, primary_key=True),  # "tumblr.com" is that host and everything below it
    Column("name", Text, nullable=False),  # of the group; several suffixes may share one
    Column("spacing", Float),  # seconds; none: as set for all
    Column("concurrency", Integer),  # none: as set for all
    Column("pauses", Text, nullable=False),  # "group" or "url": what a 429 or 503 makes us leave alone
)

# How often a kind of source may be polled in all, against how often its sources would like to be.
pace = Table(
    "pace",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("level", Float, nullable=False),  # the daily average of the sum of all speeds
    Column("sources", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

source = Table(
    "source",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("own_host", Text, nullable=False, server_default=""),  # name and port
    Column("host", Text, nullable=False),  # under which its turns are counted: host group and port
    Column("options", _json, nullable=False),
    Column("policy", Text, nullable=False),
    Column("delay", Integer),  # seconds after which what it brings is shown, where its policy is to wait so long
    Column("on_edit", Text, nullable=False, server_default="stay"),  # what an edit does to what a person approved
    Column("trusted", _json),  # authors whose words need no review: handles or names
    Column("managed", Text, nullable=False, server_default=""),  # the file that says how it is set; people don't
    Column("state", Text, nullable=False),
    Column("state_reason", Text, nullable=False),
    Column("every", Integer),  # seconds between polls, where people set it; else the rhythm decides
    Column("floor", Integer, nullable=False),  # seconds: the least between polls
    Column("ceiling", Integer, nullable=False, server_default="86400"),  # seconds: the most
    Column("interval", Integer, nullable=False),  # seconds, as the last answer had it
    Column("due", UtcDateTime, nullable=False),
    Column("due_reason", Text, nullable=False),
    Column("asked", UtcDateTime),  # somebody asked for a poll now
    Column("lease_token", Text),
    Column("lease_until", UtcDateTime),
    Column("unfinished", Integer, nullable=False, server_default="0"),  # polls in a row that began and never ended
    Column("failures", Integer, nullable=False),
    Column("strain", Float, nullable=False, server_default="0"),  # their weights
    Column("fetch_state", _json, nullable=False),
    Column("rhythm", _json),  # when it publishes
    Column("speed", Float),  # what the rhythm asks for; none: it does not follow it
    Column("appetite", Float),  # dollars a day that reading all of it costs; none: it costs nothing, or is not known
    Column("moving", _json),  # a permanent redirect that was seen
    Column("sealed", Text),  # headers that nobody else may read, encrypted
    Column("created", UtcDateTime, nullable=False),
    Column("last_polled", UtcDateTime),
    Column("last_success", UtcDateTime),
    Column("last_new", UtcDateTime),
    Column("last_outcome", Text),
    Column("last_error", Text),
    Column("last_error_code", Text),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("kind", "address"),
    Index("ix_source_state_due", "state", "due"),
    Index("ix_source_revision", "revision"),
    sqlite_autoincrement=True,
)

# Where sources lived before.
source_address = Table(
    "source_address",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("source_id", _big, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("left", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_source_address_source_id", "source_id"),
    sqlite_autoincrement=True,
)

# The history: who decided or changed what, when and why. `who` is "system", "command line" or a person's name. Each
# row's hash is made over the row and the hash before it; triggers refuse to change or delete rows. It never holds
# anything that others wrote: what must go from the stream must not stay here.
audit = Table(
    "audit",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),  # "source moved"
    Column("subject", Text, nullable=False),  # "source:nasa", "activity:12"
    Column("detail", _json),
    Column("batch", Text),  # what was decided together, and is undone together
    Column("hash", Text, nullable=False, server_default=""),
    Index("ix_audit_subject", "subject", "id"),
    Index(
        "ix_audit_batch", "batch", postgresql_where=text("batch IS NOT NULL"), sqlite_where=text("batch IS NOT NULL")
    ),
    sqlite_autoincrement=True,
)

actor = Table(
    "actor",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("network", Text, nullable=False),
    Column("native_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("handle", Text),
    Column("url", Text),
    Column("avatar", Text),
    Column("refresh_after", UtcDateTime),  # when the network is to be asked about it; none: it never was
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("network", "native_id"),
    Index("ix_actor_revision", "revision"),
    Index("ix_actor_network_refresh_after", "network", "refresh_after"),
    sqlite_autoincrement=True,
)

activity = Table(
    "activity",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("source_id", _big, ForeignKey("source.id"), nullable=False),
    Column("native_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("object_key", Text),
    # What it is known by where the publisher changes every id: see `aggregator/identity.py`.
    Column("alias", Text),
    Column("likeness", Text),
    Column("kind", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("actor_id", _big, ForeignKey("actor.id")),
    # What people see. Gone rows keep none of it.
    Column("url", Text),
    Column("title", Text),
    Column("text", Text),
    Column("html", Text),
    Column("lang", Text),
    Column("published", UtcDateTime),
    Column("updated", UtcDateTime),
    Column("detail", _json),  # media, links, hashtags, mentions, event, flags
    Column("object", _json),  # the embedded original of a repost or quote
    Column("object_actor_id", _big),  # whose that is; names an actor, whose name and picture are kept there alone
    Column("topics", _json),
    Column("countries", _json),
    Column("reasons", _json),  # of these: topic or country -> the word that says so
    # The key of what it is about; "by_hand" where a person said so, and no source changes it.
    Column("story", Text),
    Column("story_by_hand", Boolean, nullable=False, server_default=false()),
    Column("search_text", Text),
    # How it came.
    Column("first_seen", UtcDateTime, nullable=False),
    Column("entry_digest", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    # Where it stands.
    Column("position", UtcDateTime, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("upstream", Text, nullable=False),
    Column("gone", UtcDateTime),
    Column("gone_reason", Text),
    Column("review", Text, nullable=False),
    Column("review_by", Text, nullable=False),
    Column("review_reason", Text, nullable=False),
    Column("reviewed", UtcDateTime),
    Column("reviewer", Text),  # the person who decided, by name
    Column("review_rule", BigInteger),  # the rule that decided
    Column("visible", Boolean, nullable=False),
    # What editors add; what others wrote is never changed.
    Column("headline", Text),
    Column("note", Text),
    Column("pinned_until", UtcDateTime),
    UniqueConstraint("source_id", "native_id"),
    Index("ix_activity_source_id_alias", "source_id", "alias"),
    Index("ix_activity_source_id_likeness", "source_id", "likeness"),
    Index("ix_activity_key", "key"),
    Index("ix_activity_story", "story"),
    # Only what has one: the posts of a network. Articles, the many, pay nothing for it.
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
    # The stream as readers page it; only what is shown. Parts of it are read by `activity_tag`.
    Index("ix_activity_stream", "position", "id", postgresql_where=text("visible"), sqlite_where=text("visible = 1")),
    # What waits for somebody or was taken out; what is simply shown is found by the stream's indexes.
    Index(
        "ix_activity_review",
        "review",
        "id",
        postgresql_where=text("review <> 'published'"),
        sqlite_where=text("review <> 'published'"),
    ),
    Index(
        "ix_activity_pinned_until",
        "pinned_until",
        postgresql_where=text("pinned_until IS NOT NULL"),
        sqlite_where=text("pinned_until IS NOT NULL"),
    ),
    sqlite_autoincrement=True,
)

# What is shown, by what readers filter by: "kind:post", "network:x", "source:12", "lang:en", "topic:health",
# "country:GH", "has:media"; for events also "event", whose position is when it begins. Triggers keep it and the words
# below in step with `activity`, whoever writes there.
activity_tag = Table(
    "activity_tag",
    metadata,
    Column("tag", Text, primary_key=True),
    Column("position", UtcDateTime, primary_key=True),
    Column("id", _big, primary_key=True),
    Index("ix_activity_tag_id", "id"),
    sqlite_with_rowid=False,
)

# What is searched: on PostgreSQL (id, position where it is shown, words tsvector), on SQLite an FTS5 table over
# `activity.search_text`. Not in the metadata, since each database has its own.
activity_words = table(
    "activity_words",
    column("id", BigInteger),
    column("rowid", BigInteger),
    column("position", UtcDateTime),
    column("words"),
)

# What an edit replaced.
activity_version = Table(
    "activity_version",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("activity_id", _big, ForeignKey("activity.id", ondelete="CASCADE"), nullable=False),
    Column("revision", BigInteger, nullable=False),  # of the version that was replaced
    Column("replaced", UtcDateTime, nullable=False),
    Column("title", Text),
    Column("text", Text),
    Column("html", Text),
    Column("url", Text),
    Column("detail", _json),
    Column("object", _json),
    Column("entry_digest", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Index("ix_activity_version_activity_id", "activity_id"),
    sqlite_autoincrement=True,
)

# The newest raw entry of each activity, zlib-compressed.
raw_payload = Table(
    "raw_payload",
    metadata,
    Column("activity_id", _big, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("stored", UtcDateTime, nullable=False),
)

# What the clock will change: applied as a write with a revision, never evaluated at read time.
transition = Table(
    "transition",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("activity_id", _big, ForeignKey("activity.id", ondelete="CASCADE"), nullable=False),
    Column("due", UtcDateTime, nullable=False),
    Column("review", Text, nullable=False),
    Column("review_by", Text, nullable=False),
    Column("reviewer", Text),
    Column("reason", Text, nullable=False),
    Index("ix_transition_due", "due"),
    Index("ix_transition_activity_id", "activity_id"),
    sqlite_autoincrement=True,
)

fetch_log = Table(
    "fetch_log",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("source_id", _big, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("started", UtcDateTime, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Column("status", Integer),
    Column("bytes", BigInteger, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("new", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("unchanged", Integer, nullable=False),
    Column("error_code", Text),
    Column("message", Text),
    Column("next_poll", UtcDateTime, nullable=False),
    Column("next_reason", Text, nullable=False),
    Index("ix_fetch_log_source_id_id", "source_id", "id"),
    Index("ix_fetch_log_started", "started"),
    sqlite_autoincrement=True,
)

# A service that bills what it returns. Its row is the lock under which money is reserved.
meter = Table(
    "meter",
    metadata,
    Column("service", Text, primary_key=True),  # "x"
    Column("blocked_until", UtcDateTime),  # it said that a cap is reached
    Column("blocked_reason", Text),
    Column("reported", Integer),  # posts of this cycle, as the service itself counts
    Column("reported_at", UtcDateTime),
)

# The ledger: what was asked and returned, by UTC day. `source_id` is 0 where it was for none in particular.
spend = Table(
    "spend",
    metadata,
    Column("service", Text, primary_key=True),
    Column("day", Text, primary_key=True),  # "2026-05-04"
    Column("source_id", BigInteger, primary_key=True),
    Column("endpoint", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("posts", Integer, nullable=False),  # each counts once a day
    Column("users", Integer, nullable=False),
    Column("micros", BigInteger, nullable=False),  # millionths of a dollar
)

# Money for requests under way, so that all workers together never promise more than there is.
reservation = Table(
    "reservation",
    metadata,
    Column("token", Text, primary_key=True),
    Column("service", Text, nullable=False),
    Column("day", Text, nullable=False),
    Column("source_id", BigInteger, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("micros", BigInteger, nullable=False),  # at the most
    Column("until", UtcDateTime, nullable=False),  # after which whoever made it is dead
)

# What was billed already on a day, since a service bills each thing once a day; kept for two days.
billed = Table(
    "billed",
    metadata,
    Column("service", Text, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("item", Text, primary_key=True),  # "post:123", "user:9"
)

# What must never be stored again, whichever source brings it: keys of posts ("x:123"), and of people ("x:@9").
gone_key = Table(
    "gone_key",
    metadata,
    Column("key", Text, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
)

# When the network was last asked whether something we hold still stands.
checked = Table("checked", metadata, Column("key", Text, primary_key=True), Column("at", UtcDateTime, nullable=False))

# Lists of ids that a network was asked to check; how they are fetched stays with the network, never their addresses.
compliance_job = Table(
    "compliance_job",
    metadata,
    Column("id", Text, primary_key=True),  # the network's
    Column("network", Text, nullable=False),
    Column("type", Text, nullable=False),  # "tweets" or "users"
    Column("ids", Integer, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("status", Text, nullable=False),
    Column("ended", UtcDateTime),
)

# Who may read more than everybody. Of a token only a digest is held.
portal_token = Table(
    "portal_token",
    metadata,
    Column("id", Text, primary_key=True),  # part of the token, and no secret
    Column("name", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_used", UtcDateTime),
    Column("revoked", UtcDateTime),
    Index("uq_portal_token_digest", "digest", unique=True),
    Index(
        "uq_portal_token_name",  # a name is free again once its token is revoked
        "name",
        unique=True,
        postgresql_where=text("revoked IS NULL"),
        sqlite_where=text("revoked IS NULL"),
    ),
)

# Which links activities carry: keys of what they point to ("web:..."), so that those about one thing find each other.
activity_link = Table(
    "activity_link",
    metadata,
    Column("key", Text, primary_key=True),
    Column("activity_id", _big, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Index("ix_activity_link_activity_id", "activity_id"),
    sqlite_with_rowid=False,
)

# An edit of what a person approved, which waits for a person too; kept afterwards, so that it is not asked twice.
held_edit = Table(
    "held_edit",
    metadata,
    Column("activity_id", _big, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("arrived", UtcDateTime, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("entry_digest", Text, nullable=False),
    Column("content", _json, nullable=False),  # the whole of it, as `Screened`
    Column("raw", LargeBinary),
    Column("dealt_with", UtcDateTime),
)

# Which waiting activities are in whose hands, so that two people do not read the same.
handout = Table(
    "handout",
    metadata,
    Column("activity_id", _big, ForeignKey("activity.id", ondelete="CASCADE"), primary_key=True),
    Column("account", Text, nullable=False),
    Column("until", UtcDateTime, nullable=False),
    Index("ix_handout_account", "account"),
)

# What editors set up to be done with what comes.
rule = Table(
    "rule",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False),
    Column("place", Integer, nullable=False),  # the lowest comes first
    Column("action", Text, nullable=False),  # "keep", "hold", "hide", "tag" or "pin"
    Column("value", Text),  # the tag; for how many days it is pinned
    Column("every", Boolean, nullable=False),  # all conditions must hold, or any
    Column("conditions", _json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("until", UtcDateTime),
    Column("created", UtcDateTime, nullable=False),
    Column("changed", UtcDateTime, nullable=False),
    Column("author", Text, nullable=False),
    Column("acted", BigInteger, nullable=False, server_default="0"),  # how often
    Column("last_acted", UtcDateTime),
    sqlite_autoincrement=True,
)

# Times in which nothing new is shown.
freeze = Table(
    "freeze",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("source_id", _big, ForeignKey("source.id", ondelete="CASCADE")),  # none: all of them
    Column("until", UtcDateTime, nullable=False),
    Column("reason", Text, nullable=False),
    Column("author", Text, nullable=False),
    Column("begun", UtcDateTime, nullable=False),
    Column("ended", UtcDateTime),  # before its time
    Index("ix_freeze_until", "until"),
    sqlite_autoincrement=True,
)

# Who works at the review desk.
account = Table(
    "account",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("password", Text, nullable=False),  # its argon2id hash
    Column("created", UtcDateTime, nullable=False),
    Column("password_set", UtcDateTime, nullable=False),
    Column("last_sign_in", UtcDateTime),
    Column("disabled", UtcDateTime),
    sqlite_autoincrement=True,
)

# Sign-ins that stand. Of a session's token only a digest is held.
session = Table(
    "session",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("account_id", _big, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("last_used", UtcDateTime, nullable=False),
    Column("expires", UtcDateTime, nullable=False),
    Index("ix_session_account_id", "account_id"),
    Index("ix_session_expires", "expires"),
)

# Sign-ins that failed, by whose name was tried ("name:ana") and from where ("address:192.0.2.7").
sign_in_failure = Table(
    "sign_in_failure",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last", UtcDateTime, nullable=False),
    Column("blocked_until", UtcDateTime),
)

# What people are told: a source stopped, the queue grows old. `told` is when it went out by mail or webhook.
alert = Table(
    "alert",
    metadata,
    Column("id", _big, primary_key=True, autoincrement=True),
    Column("kind", Text, nullable=False),  # "source-stopped", "queue-old"
    Column("subject", Text, nullable=False),  # "source:nasa", "queue"
    Column("sentence", Text, nullable=False),
    Column("opened", UtcDateTime, nullable=False),
    Column("closed", UtcDateTime),
    Column("told", UtcDateTime),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_try", UtcDateTime),
    Column("problem", Text),  # why it could not be told
    Index(
        "uq_alert_open",
        "kind",
        "subject",
        unique=True,
        postgresql_where=text("closed IS NULL"),
        sqlite_where=text("closed IS NULL"),
    ),
    sqlite_autoincrement=True,
)
