"""Test removals that apply to every source: rows are cleared, content can't return, and checks are remembered."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select, text

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    NewActivity,
    Original,
    Upstream,
)
from aggregator.domain.compliance.records import Job
from aggregator.domain.search_query import Search
from aggregator.domain.source import Policy, SourceState
from aggregator.domain.stream import Query
from aggregator.services.screen_entries import screened
from storage.compliance.removals import NAMELESS
from storage.revision import Stream
from storage.tables.stream import activity
from tests.building import NOON, add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.compliance.removal import Removal
    from aggregator.domain.source import Source
    from storage.store import Store

LATER = NOON + timedelta(hours=1)
ANA, BEN = Actor("x", "9", "Ana", "ana"), Actor("x", "8", "Ben", "ben")


def _post(native_id: str = "1", *, by: Actor = ANA, words: str = "Ana's words", **more: Any) -> NewActivity:
    activity = an_activity(
        native_id,
        kind=more.pop("kind", ActivityKind.POST),
        network="x",
        actor=by,
        title=None,
        text=words,
        html=words,
        url=f"https://x.com/{by.handle}/status/{more.pop('version', native_id)}",
    )
    return replace(activity, key=f"x:{native_id}", raw=words.encode(), **more)


def _about(native_id: str, kind: ActivityKind, post: NewActivity, words: str = "Ben's words") -> NewActivity:
    """Build Ben's repost, quote or reply of a post."""
    embedded = Original(post.key, post.native_id, post.content)
    return _post(native_id, by=BEN, kind=kind, words=words, object=embedded, object_key=post.key)


def _held(store: Store) -> dict[str, Any]:
    with store.engine.connect() as connection:
        return {row.native_id: row for row in connection.execute(select(activity))}


def _withdraw(store: Store, *keys: str) -> Mapping[str, Removal]:
    with store.writing() as tx:
        return tx.compliance.withdraw(dict.fromkeys(keys, "deleted"), Upstream.GONE, LATER)


@pytest.fixture
def source(store: Store) -> Source:
    return add_source(store, "x", kind="twitter", address="@ana", options={"user_id": "9"})


def test_a_post_goes_with_its_reposts_and_quotes_keep_their_own_words(store: Store, source: Source) -> None:
    post = _post()
    about = [_about(str(number), kind, post) for number, kind in enumerate(ActivityKind, start=10)]
    reposts = {activity.native_id for activity in about if activity.content.kind is ActivityKind.REPOST}
    ingest_now(store, source, [post, *about])
    [removal] = _withdraw(store, "x:1").values()
    assert (removal.posts, removal.reposts, removal.quotes) == (1, 1, len(about) - 1)
    with store.reading() as tx:
        assert removal.revision == tx.stream.state.revision()
    for native_id, row in _held(store).items():
        gone = native_id in {"1", *reposts}
        assert (row.gone is not None, row.visible) == (gone, not gone)
        assert row.text == (None if gone else "Ben's words")
        assert (row.object, row.object_actor_id) == (None, None)
        assert gone or ("ana" not in row.search_text and "ben s words" in row.search_text)
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM raw_payload")).scalar() == 0


def test_withdrawing_again_does_nothing(store: Store, source: Source) -> None:
    post = _post()
    ingest_now(store, source, [post, _about("2", ActivityKind.QUOTE, post)])
    assert _withdraw(store, "x:1")["x:1"].is_new
    before = {native_id: row.revision for native_id, row in _held(store).items()}
    again = _withdraw(store, "x:1")["x:1"]
    assert (again.is_new, again.activities, again.revision) == (False, 0, None)
    assert {native_id: row.revision for native_id, row in _held(store).items()} == before


def test_an_older_version_that_embedded_it_goes_as_well(store: Store, source: Source) -> None:
    quote = _about("2", ActivityKind.QUOTE, _post(), "First words")
    ingest_now(store, source, [quote])
    ingest_now(store, source, [_about("2", ActivityKind.QUOTE, _post(), "Second words")], now=LATER)
    _withdraw(store, "x:1")
    with store.reading() as tx:
        assert tx.stream.versions.of(_held(store)["2"].id) == []
        assert tx.compliance.remaining(["x:1"]) == set()


@pytest.mark.parametrize("other", [False, True])
def test_no_source_brings_it_back(store: Store, source: Source, other: bool) -> None:
    _withdraw(store, "x:1")
    brings = add_source(store, "other", kind="twitter", address="@other") if other else source
    post = _post()
    activities = [
        post,
        _about("2", ActivityKind.REPOST, post),
        _about("3", ActivityKind.QUOTE, post),
        _post("4", by=BEN),
    ]
    stored = ingest_now(store, brings, activities)
    assert (stored.new, len(stored.times)) == (2, 2)
    remaining = _held(store)
    assert remaining.keys() == {"3", "4"}
    assert (remaining["3"].object, remaining["3"].object_key) == (None, "x:1")
    assert "ana" not in remaining["3"].search_text
    with store.reading() as tx:
        assert tx.stream.activities.raw(remaining["3"].id) is None


def test_a_stripped_quote_that_comes_again_is_not_written_again(store: Store, source: Source) -> None:
    quote = _about("3", ActivityKind.QUOTE, _post())
    ingest_now(store, source, [quote])
    _withdraw(store, "x:1")
    before = _held(store)["3"].revision
    assert ingest_now(store, source, [quote], now=LATER).changed == 0
    assert _held(store)["3"].revision == before


def test_the_id_of_a_later_version_keeps_a_post_away(store: Store, source: Source) -> None:
    _withdraw(store, "x:77")
    assert ingest_now(store, source, [_post("1", version="77")]).new == 0


def test_nothing_of_a_person_who_is_gone_is_taken_in(store: Store, source: Source) -> None:
    with store.writing() as tx:
        assert tx.compliance.withdraw_person("x", "9", "purged", NOON).is_new
    post = _post()
    about = [_about("2", ActivityKind.REPOST, post), _about("3", ActivityKind.QUOTE, post)]
    assert ingest_now(store, source, [post, *about]).new == 1
    assert _held(store)["3"].object_actor_id is None


def test_a_person_goes_in_slices(store: Store, source: Source) -> None:
    posts = [_post(str(number)) for number in range(1, 8)]
    about = [_about(str(number), ActivityKind.REPOST, posts[number % 7]) for number in range(10, 15)]
    quotes = [_about(str(number), ActivityKind.QUOTE, posts[number % 7]) for number in range(20, 23)]
    ingest_now(store, source, [*posts, *about, *quotes])
    counts = [0, 0, 0]
    for _ in range(10):
        with store.writing() as tx:
            removal = tx.compliance.withdraw_person("x", "9", "purged", LATER, most=3)
        counts = [sum(pair) for pair in zip(counts, (removal.posts, removal.reposts, removal.quotes), strict=True)]
        if not removal.more:
            break
    assert counts == [7, 5, 3]
    with store.reading() as tx:
        known = tx.stream.actors.known("x", ["9", "8"])
        assert (known["9"].name, known["9"].handle, known["8"].name) == (NAMELESS, None, "Ben")
        assert tx.compliance.remaining(["x:@9", *(post.key for post in posts)]) == set()


def test_a_network_goes_in_slices_and_the_rest_stays(store: Store, source: Source) -> None:
    news = add_source(store)
    ingest_now(store, news, [an_activity("news")])
    ingest_now(store, source, [_post(str(number)) for number in range(1, 8)])
    with store.writing() as tx:
        tx.compliance.note_checked(["x:1"], NOON)
        tx.compliance.add_job("x", Job("7", "tweets", 1, NOON, "created", None))
    posts = 0
    for _ in range(10):
        with store.writing() as tx:
            removal = tx.compliance.withdraw_network("x", "over", LATER, most=3)
        posts += removal.posts
        if not removal.more:
            break
    assert posts == 7
    rows = [row for row in _held(store).values() if row.gone is None]
    assert [row.network for row in rows] == ["web"]
    with store.reading() as tx:
        assert tx.compliance.held_of("x", LATER) == 0
        assert tx.compliance.last_job("x", "tweets") is None
        assert {actor.name for actor in tx.stream.actors.known("x", ["9"]).values()} == {NAMELESS}
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM checked")).scalar() == 0


def test_a_purge_that_commits_while_a_poll_writes_wins(postgresql_store: Store) -> None:
    """The poll looked at what it knows before the purge; it writes after."""
    store = postgresql_store
    source = add_source(store, "x", kind="twitter", address="@ana")
    purging, answered = threading.Event(), threading.Event()
    ready = [
        screened(_post(), Policy.AUTO, NOON),
        screened(_about("2", ActivityKind.REPOST, _post()), Policy.AUTO, NOON),
    ]

    def purge() -> None:
        with store.writing() as tx:
            tx.compliance.withdraw({"x:1": "purged"}, Upstream.GONE, NOON)
            purging.set()
            answered.wait(10)

    thread = threading.Thread(target=purge)
    thread.start()
    assert purging.wait(10)
    threading.Timer(0.5, answered.set).start()  # while the poll waits for the stream's row
    with store.writing() as tx:
        assert tx.stream.activities.store(source.id, ready, NOON).new == 0
    assert answered.is_set()
    thread.join()
    assert _held(store) == {}


def test_a_poll_that_commits_while_a_purge_waits_loses(postgresql_store: Store) -> None:
    store = postgresql_store
    source = add_source(store, "x", kind="twitter", address="@ana")
    done: list[Removal] = []
    with store.writing() as tx:
        tx.stream.activities.store(source.id, [screened(_post(), Policy.AUTO, NOON)], NOON)
        thread = threading.Thread(target=lambda: done.append(_withdraw(store, "x:1")["x:1"]))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
    thread.join(10)
    assert [removal.posts for removal in done] == [1]
    assert _held(store)["1"].gone is not None


def test_what_only_changed_in_noise_gets_no_raw_entry_once_it_is_gone(store: Store) -> None:
    """The poll had read the post before the purge, and stores it afterward."""
    source = add_source(store, "x", kind="twitter", address="@ana")
    ingest_now(store, source, [_post()])
    noisy = replace(_post(), entry_digest="other")
    _withdraw(store, "x:1")
    ingest_now(store, source, [noisy])
    with store.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM raw_payload")).scalar() == 0


def test_a_feed_asks_once_whether_anything_is_gone(sqlite_store: Store) -> None:
    from sqlalchemy import event

    statements: list[str] = []
    event.listen(sqlite_store.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    source = add_source(sqlite_store)
    ingest_now(sqlite_store, source, [an_activity(str(number)) for number in range(40)])
    assert sum("FROM gone_key" in statement for statement in statements) == 1


def test_everything_that_is_held_is_listed_newest_first(store: Store, source: Source) -> None:
    embedded = _post("5")
    ingest_now(store, source, [_post("30"), _post("4"), _about("200", ActivityKind.QUOTE, embedded)])
    ingest_now(store, add_source(store), [an_activity("1")])
    with store.reading() as tx:
        assert tx.compliance.keys_held("x") == ["x:200", "x:30", "x:5", "x:4"]
        assert tx.compliance.people_held("x") == ["8", "9"]
        unchecked = tx.compliance.unchecked("x", NOON, 10)
        assert {item.key for item in unchecked} == {"x:200", "x:30", "x:5", "x:4"}
        assert {item.url for item in unchecked if item.key == "x:5"} == {"https://x.com/ana/status/5"}
        assert tx.compliance.keys_at("x", "5") == {"x:5"}


def test_what_was_checked_lately_is_not_due(store: Store, source: Source) -> None:
    ingest_now(store, source, [_post("1"), _about("2", ActivityKind.REPOST, _post("1"))])
    with store.writing() as tx:
        tx.compliance.note_checked(["x:1"], NOON)
        assert [item.key for item in tx.compliance.unchecked("x", NOON - timedelta(hours=1), 10)] == ["x:2"]
        assert len(tx.compliance.unchecked("x", NOON, 10)) == 2
        tx.compliance.note_checked(["x:1", "x:2"], LATER)
        assert tx.compliance.unchecked("x", NOON, 10) == []
        assert tx.compliance.forget_checked(LATER + timedelta(days=1)) == 2


def test_a_right_is_taken_by_one_and_runs_out(store: Store) -> None:
    until = NOON + timedelta(minutes=15)
    with store.writing() as tx:
        assert tx.compliance.claim("sweep:x", NOON, until)
    with store.writing() as tx:
        assert not tx.compliance.claim("sweep:x", NOON, until + timedelta(minutes=1))
        tx.compliance.release("sweep:x", until + timedelta(minutes=1))  # another process's lease
        assert not tx.compliance.claim("sweep:x", NOON, until)
        assert tx.compliance.claim("sweep:x", until, until + timedelta(minutes=15))
        tx.compliance.release("sweep:x", until + timedelta(minutes=15))
        assert tx.compliance.claim("sweep:x", NOON, until)


def test_what_a_table_still_holds_is_found(store: Store, source: Source) -> None:
    post = _post()
    ingest_now(store, source, [post, _about("2", ActivityKind.QUOTE, post)])
    with store.reading() as tx:
        assert tx.compliance.remaining(["x:1", "x:@9", "x:5"]) == {"x:1", "x:@9"}
    _withdraw(store, "x:1")
    with store.reading() as tx:
        assert tx.compliance.remaining(["x:1", "x:@9"]) == set()
    with store.writing() as tx:  # what should never happen
        Stream(tx.stream._connection).take(0)
        tx.stream._connection.execute(text("UPDATE activity SET text = 'left' WHERE native_id = '1'"))
    with store.reading() as tx:
        assert tx.compliance.remaining(["x:1"]) == {"x:1"}
    assert source.state is SourceState.ACTIVE


# The post that a reposted quote is about

CID = Actor("x", "7", "Cid", "cid")


def _reposted_quote(store: Store) -> Source:
    """Store Ben's repost of Cid's quote of Ana's post."""
    first = _post("1", version="2")
    quote = _post("5", by=CID, kind=ActivityKind.QUOTE, words="Cid's words")
    embedded = Original("x:5", "5", quote.content, Original("x:1", "1", first.content))
    source = add_source(store, kind="twitter")
    repost = _post("9", by=BEN, kind=ActivityKind.REPOST, words="", object=embedded, object_key="x:5")
    ingest_now(store, source, [repost])
    return source


def _stored_quote(store: Store) -> tuple[str | None, str | None]:
    with store.reading() as tx:
        item = tx.stream.activities.page(Query()).items[0]
    assert item.object is not None
    quoted = item.object.object
    return item.object.content.text, quoted.content.text if quoted and quoted.content.actor else None


def test_a_reposted_quote_is_stored_with_the_post_that_it_quotes(store: Store) -> None:
    _reposted_quote(store)
    assert _stored_quote(store) == ("Cid's words", "Ana's words")
    with store.reading() as tx:
        assert tx.compliance.keys_held("x") == ["x:9", "x:5", "x:1"]
        assert tx.compliance.people_held("x") == ["7", "8", "9"]
        assert [post.key for post in tx.compliance.unchecked("x", NOON, 9)] == ["x:9", "x:5", "x:1"]
        assert tx.compliance.keys_at("x", "2") == {"x:1"}
        assert tx.compliance.still_held(["x:1", "x:2"]) == {"x:1"}
        found = tx.stream.activities.page(Query(search=Search.parse("Ana's words"))).items
        assert [item.native_id for item in found] == ["9"]


@pytest.mark.parametrize("how", ["post", "person"])
def test_its_quoted_post_goes_alone_and_does_not_come_back(store: Store, how: str) -> None:
    source = _reposted_quote(store)
    with store.writing() as tx:
        if how == "post":
            removal = tx.compliance.withdraw({"x:1": "deleted"}, Upstream.GONE, LATER)["x:1"]
        else:
            removal = tx.compliance.withdraw_person("x", "9", "deleted", LATER)
        assert removal.quotes == 1
    assert _stored_quote(store) == ("Cid's words", None)
    with store.reading() as tx:
        assert tx.compliance.remaining(["x:1", "x:@9"]) == set()
        assert tx.stream.activities.page(Query(search=Search.parse("Ana's words"))).items == []
        assert tx.stream.activities.raw(1) is None
    first = _post("1", version="2")
    quote = _post("5", by=CID, kind=ActivityKind.QUOTE, words="Cid's words, edited")
    embedded = Original("x:5", "5", quote.content, Original("x:1", "1", first.content))
    again = _post("9", by=BEN, kind=ActivityKind.REPOST, words="", object=embedded, object_key="x:5")
    ingest_now(store, source, [replace(again, entry_digest="another")])
    assert _stored_quote(store) == ("Cid's words, edited", None)


def test_with_the_quote_itself_everything_goes(store: Store) -> None:
    _reposted_quote(store)
    with store.writing() as tx:
        tx.compliance.withdraw({"x:5": "deleted"}, Upstream.GONE, LATER)
    with store.reading() as tx:
        assert tx.stream.activities.page(Query()).items == []
        assert tx.compliance.keys_held("x") == []
        assert tx.compliance.remaining(["x:1", "x:5", "x:@9", "x:@7"]) == set()
