# ruff: noqa: S608, ISC004  # statements are put together of names alone, and strings are long
"""Add filters, search and change notifications for readers.

Revision: 0004, after 0003
"""

from __future__ import annotations

import re
from itertools import count
from uuid import uuid4

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import TSVECTOR

from storage.engine.connect import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_big = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_ONCE = 5000  # rows
_IDEOGRAPH = re.compile("[\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_WORD = re.compile(r"[^\W_]+")
_MOST_WORDS = 16_000
_LONGEST_WORD = 100

# --- PostgreSQL ------------------------------------------------------------------------------------------------------

_TAGS = """
CREATE FUNCTION activity_tags(kind text, network text, source_id bigint, lang text, topics jsonb, countries jsonb,
                              detail jsonb, object jsonb) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'kind:' || $1
    UNION SELECT 'network:' || $2
    UNION SELECT 'source:' || $3
    UNION SELECT 'lang:' || lower($4) WHERE $4 <> ''
    UNION SELECT 'lang:' || split_part(lower($4), '-', 1) WHERE $4 <> ''
    UNION SELECT 'topic:' || jsonb_array_elements_text($5)
    UNION SELECT 'country:' || jsonb_array_elements_text($6)
    UNION SELECT 'has:media' WHERE $7 ? 'media' OR $8 -> 'content' ? 'media'
    UNION SELECT 'has:event' WHERE $7 ? 'event'
$$
"""
_ARGUMENTS = "kind, network, source_id, lang, topics, countries, detail, object"
_OF_NEW = ", ".join(f"NEW.{name}" for name in _ARGUMENTS.split(", "))
_WORDS = """
CREATE FUNCTION activity_words_of(words text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(string_agg('''' || word || ''':' || least(place, 16383), ' '), '')::tsvector
    FROM unnest(string_to_array($1, ' ')) WITH ORDINALITY AS listed (word, place) WHERE word <> ''
$$
"""
_EVENT_START = "(detail #>> '{event,start}')::timestamptz"
_ADDED = f"""
CREATE FUNCTION activity_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO activity_tag (tag, position, id)
        SELECT tag, position, id FROM added, LATERAL activity_tags({_ARGUMENTS}) AS tag WHERE visible
        UNION ALL
        SELECT 'event', {_EVENT_START}, id FROM added WHERE visible AND detail ? 'event';
    INSERT INTO activity_words (id, position, words)
        SELECT id, CASE WHEN visible THEN position END, activity_words_of(search_text)
        FROM added WHERE search_text IS NOT NULL;
    RETURN NULL;
END $$
"""
_RETAGGED = f"""
CREATE FUNCTION activity_retagged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM activity_tag WHERE id = OLD.id;
    IF TG_OP = 'UPDATE' AND NEW.visible THEN
        INSERT INTO activity_tag (tag, position, id)
            SELECT tag, NEW.position, NEW.id FROM activity_tags({_OF_NEW}) AS tag
            UNION ALL
            SELECT 'event', (NEW.{_EVENT_START[1:]}, NEW.id WHERE NEW.detail ? 'event';
    END IF;
    RETURN NULL;
END $$
"""
_REWORDED = """
CREATE FUNCTION activity_reworded() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.search_text IS NULL THEN
        DELETE FROM activity_words WHERE id = OLD.id;
    ELSE
        INSERT INTO activity_words (id, position, words)
            VALUES (NEW.id, CASE WHEN NEW.visible THEN NEW.position END, activity_words_of(NEW.search_text))
            ON CONFLICT (id) DO UPDATE SET position = excluded.position, words = excluded.words;
    END IF;
    RETURN NULL;
END $$
"""
_TOLD = """
CREATE FUNCTION stream_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('stream', '');
    RETURN NULL;
END $$
"""
_TAGGED_BY = ("visible", "position", *_ARGUMENTS.split(", "))
_DIFFER = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _TAGGED_BY)
_TRIGGERS = (
    "CREATE TRIGGER activity_added AFTER INSERT ON activity REFERENCING NEW TABLE AS added "
    "FOR EACH STATEMENT EXECUTE FUNCTION activity_added()",
    f"CREATE TRIGGER activity_retagged AFTER UPDATE OF {', '.join(_TAGGED_BY)} ON activity FOR EACH ROW "
    f"WHEN ((OLD.visible OR NEW.visible) AND ({_DIFFER})) EXECUTE FUNCTION activity_retagged()",
    "CREATE TRIGGER activity_reworded AFTER UPDATE OF search_text, visible, position ON activity FOR EACH ROW "
    "WHEN (OLD.search_text IS DISTINCT FROM NEW.search_text OR OLD.visible IS DISTINCT FROM NEW.visible "
    "OR OLD.position IS DISTINCT FROM NEW.position) EXECUTE FUNCTION activity_reworded()",
    "CREATE TRIGGER activity_untagged AFTER DELETE ON activity FOR EACH ROW EXECUTE FUNCTION activity_retagged()",
    "CREATE TRIGGER activity_unworded AFTER DELETE ON activity FOR EACH ROW EXECUTE FUNCTION activity_reworded()",
    "CREATE TRIGGER stream_moved AFTER UPDATE ON stream FOR EACH ROW "
    "WHEN (OLD.revision IS DISTINCT FROM NEW.revision) EXECUTE FUNCTION stream_moved()",
)
_FUNCTIONS = ("activity_added", "activity_retagged", "activity_reworded", "activity_words_of", "activity_tags")

# --- SQLite ----------------------------------------------------------------------------------------------------------


def _tags_of(row: str) -> str:
    """Return the SELECT of (tag, position, id) of a row: "NEW", "OLD" or "activity"."""
    lang = f"lower({row}.lang)"
    tags = [
        f"SELECT 'kind:' || {row}.kind AS tag",
        f"SELECT 'network:' || {row}.network",
        f"SELECT 'source:' || {row}.source_id",
        f"SELECT 'lang:' || {lang} WHERE {row}.lang <> ''",
        f"SELECT 'lang:' || substr({lang}, 1, instr({lang} || '-', '-') - 1) WHERE {row}.lang <> ''",
        f"SELECT 'topic:' || value FROM json_each({row}.topics)",
        f"SELECT 'country:' || value FROM json_each({row}.countries)",
        f"SELECT 'has:media' WHERE json_type({row}.detail, '$.media') IS NOT NULL "
        f"OR json_type({row}.object, '$.content.media') IS NOT NULL",
        f"SELECT 'has:event' WHERE json_type({row}.detail, '$.event') IS NOT NULL",
    ]
    start = f"strftime('%Y-%m-%d %H:%M:%f', json_extract({row}.detail, '$.event.start')) || '000'"
    return (
        f"SELECT tag, {row}.position, {row}.id FROM ({' UNION '.join(tags)}) "
        f"UNION ALL SELECT 'event', {start}, {row}.id WHERE json_type({row}.detail, '$.event') IS NOT NULL"
    )


def _sqlite_triggers() -> dict[str, str]:
    forget = "DELETE FROM activity_tag WHERE id = OLD.id;"
    unword = (
        "INSERT INTO activity_words (activity_words, rowid, search_text) "
        "SELECT 'delete', OLD.id, OLD.search_text WHERE OLD.search_text IS NOT NULL;"
    )
    tag = f"INSERT INTO activity_tag (tag, position, id) SELECT * FROM ({_tags_of('NEW')}) WHERE NEW.visible;"
    word = (
        "INSERT INTO activity_words (rowid, search_text) "
        "SELECT NEW.id, NEW.search_text WHERE NEW.search_text IS NOT NULL;"
    )
    return {
        "activity_added": f"AFTER INSERT ON activity BEGIN {tag} {word} END",
        "activity_retagged": f"AFTER UPDATE OF {', '.join(_TAGGED_BY)} ON activity "
        f"WHEN OLD.visible OR NEW.visible BEGIN {forget} {tag} END",
        "activity_reworded": "AFTER UPDATE OF search_text ON activity WHEN OLD.search_text IS NOT NEW.search_text "
        f"BEGIN {unword} {word} END",
        "activity_removed": f"AFTER DELETE ON activity BEGIN {forget} {unword} END",
    }


# --- both ------------------------------------------------------------------------------------------------------------


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.add_column("stream", sa.Column("instance", sa.Text(), nullable=False, server_default=""))
    op.execute(sa.text("UPDATE stream SET instance = :instance").bindparams(instance=uuid4().hex))
    op.drop_index("ix_activity_stream_kind", "activity")
    op.drop_index("ix_activity_stream_source", "activity")
    _keep_words_alone()
    op.create_table(
        "activity_tag",
        sa.Column("tag", sa.Text(), nullable=False),
        sa.Column("position", UtcDateTime(), nullable=False),
        sa.Column("id", _big, nullable=False),
        sa.PrimaryKeyConstraint("tag", "position", "id", name=op.f("pk_activity_tag")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_activity_tag_id", "activity_tag", ["id"])
    if is_postgresql:
        _on_postgresql()
    else:
        _on_sqlite()


def _on_postgresql() -> None:
    op.create_table(
        "activity_words",
        sa.Column("id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("position", UtcDateTime(), nullable=True),  # NULL: not visible
        sa.Column("words", TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activity_words")),
    )
    for statement in (_TAGS, _WORDS, _ADDED, _RETAGGED, _REWORDED, _TOLD, *_TRIGGERS):
        op.execute(statement)
    op.execute(
        f"INSERT INTO activity_tag SELECT tag, position, id FROM activity, "
        f"LATERAL activity_tags({_ARGUMENTS}) AS tag WHERE visible "
        f"UNION ALL SELECT 'event', {_EVENT_START}, id FROM activity WHERE visible AND detail ? 'event'"
    )
    op.execute(
        "INSERT INTO activity_words SELECT id, CASE WHEN visible THEN position END, activity_words_of(search_text) "
        "FROM activity WHERE search_text IS NOT NULL"
    )
    op.create_index("ix_activity_words_words", "activity_words", ["words"], postgresql_using="gin")


def _on_sqlite() -> None:
    # Our words have no ASCII characters besides letters and digits, so this tokenizer splits at spaces only.
    op.execute(
        "CREATE VIRTUAL TABLE activity_words USING fts5"
        "(search_text, content='activity', content_rowid='id', tokenize='ascii')"
    )
    if op.get_bind().dialect.server_version_info >= (3, 42):  # type: ignore[operator]  # always known on SQLite
        op.execute("INSERT INTO activity_words (activity_words, rank) VALUES ('secure-delete', 1)")
    for name, does in _sqlite_triggers().items():
        op.execute(f"CREATE TRIGGER {name} {does}")
    op.execute(
        "INSERT INTO activity_words (rowid, search_text) SELECT id, search_text FROM activity "
        "WHERE search_text IS NOT NULL"
    )
    op.execute("UPDATE activity SET visible = visible WHERE visible")  # the trigger tags them


def _keep_words_alone() -> None:
    """Split the search text into words, as the program does from this version on."""
    activity = sa.table("activity", sa.column("id"), sa.column("search_text"))
    connection = op.get_bind()
    after = 0
    for _ in count():
        rows = connection.execute(
            sa.select(activity.c.id, activity.c.search_text)
            .where(activity.c.id > after, activity.c.search_text.is_not(None))
            .order_by(activity.c.id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        after = rows[-1].id
        connection.execute(
            sa.update(activity).where(activity.c.id == sa.bindparam("row")).values(search_text=sa.bindparam("words")),
            [{"row": row.id, "words": _words(row.search_text)} for row in rows],
        )


def _words(text: str) -> str:
    found = _WORD.findall(_IDEOGRAPH.sub(r" \g<0> ", text))
    return " ".join(word[:_LONGEST_WORD] for word in found[:_MOST_WORDS])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER stream_moved ON stream")
        op.execute("DROP FUNCTION stream_moved")
        for name in ("activity_added", "activity_retagged", "activity_reworded", "activity_untagged",
                     "activity_unworded"):  # fmt: skip
            op.execute(f"DROP TRIGGER {name} ON activity")
        for name in _FUNCTIONS:
            op.execute(f"DROP FUNCTION {name}")
    else:
        for name in _sqlite_triggers():
            op.execute(f"DROP TRIGGER {name}")
    op.execute("DROP TABLE activity_words")
    op.drop_table("activity_tag")
    for name, column in (("ix_activity_stream_kind", "kind"), ("ix_activity_stream_source", "source_id")):
        op.create_index(
            name,
            "activity",
            [column, "position", "id"],
            postgresql_where=sa.text("visible"),
            sqlite_where=sa.text("visible = 1"),
        )
    op.drop_column("stream", "instance")
