"""Test accounts and hashtags as sources, over real HTTP and on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.container import utc_now
from aggregator.domain.activity import ActivityKind, Upstream
from aggregator.domain.errors import MissingAccountError, SourceError
from aggregator.domain.polling.results import PollStatus
from aggregator.domain.stream import Query
from aggregator.services.subscribe import Subscription
from aggregator.sources.mastodon.plugin import KIND, MOST_KNOWN
from tests.sources.polled import items, later, poll, stored, texts

if TYPE_CHECKING:
    from aggregator.container import Container
    from aggregator.domain.source import Source
    from tests.sources.mastodon.server import Mastodon


PAGE = "/api/v1/accounts/1000/statuses"


def _added(container: Container, server: Mastodon, **options: Any) -> Source:
    source, _ = container.subscribe(f"@ada@{server.host}", Subscription(options=options))
    return source


def test_a_handle_is_looked_up_and_its_posts_are_followed(container: Container, server: Mastodon) -> None:
    server.post("<p>First</p>")
    source = _added(container, server)
    assert (source.kind, source.name, source.address) == ("mastodon", "Ada", f"@ada@{server.host}")
    assert source.options == {"server": server.address, "account_id": "1000"}
    assert KIND.web_page(source) == f"{server.address}/@ada"
    assert texts(container) == ["First"]
    server.post("<p>Second</p>")
    assert (poll(container, source).new, texts(container)) == (1, ["First", "Second"])
    assert poll(container, source).outcome is PollStatus.UNCHANGED
    assert f"{PAGE}?limit=40" in server.queries


def test_counts_change_nothing_and_edits_change_in_place(container: Container, server: Mastodon) -> None:
    status = server.post("<p>Frist</p>")
    source = _added(container, server)
    status["favourites_count"] = 3
    report = poll(container, source)
    assert (report.new, report.changed, report.unchanged) == (0, 0, 1)
    server.edit(status["id"], "<p>First</p>")
    assert poll(container, source).changed == 1
    [item] = items(container)
    assert (item.content.text, item.content.edited) == ("First", True)


def test_a_deleted_post_is_gone_and_stays_so(container: Container, server: Mastodon) -> None:
    statuses = [server.post(f"<p>{number}</p>") for number in range(4)]
    source = _added(container, server)
    server.delete(statuses[1]["id"])
    poll(container, source)
    assert texts(container) == ["0", "2", "3"]
    server.statuses[statuses[1]["id"]] = statuses[1]  # as a cache that is late may show it
    poll(container, source)
    assert texts(container) == ["0", "2", "3"]


def test_a_post_that_becomes_private_is_gone(container: Container, server: Mastodon) -> None:
    status = server.post("<p>Public at first</p>")
    server.post("<p>Other</p>")
    source = _added(container, server)
    status |= {"visibility": "private", "leaked": True}
    poll(container, source)
    assert texts(container) == ["Other"]


def test_a_post_that_left_the_first_page_is_looked_up_by_its_id(container: Container, server: Mastodon) -> None:
    old = server.post("<p>Old</p>")
    source = _added(container, server)
    for number in range(45):
        server.post(f"<p>{number}</p>")
    poll(container, source)
    assert len(items(container)) == 46
    server.delete(old["id"])
    later(container)
    poll(container, source)
    assert "Old" not in texts(container)
    assert server.hits[f"/api/v1/statuses/{old['id']}"] == 1
    assert len(stored(container, source).poll.fetch_state["known"]) <= MOST_KNOWN


def test_an_edit_of_an_older_post_is_seen_when_it_is_looked_up(container: Container, server: Mastodon) -> None:
    old = server.post("<p>Old</p>")
    source = _added(container, server)
    for number in range(45):
        server.post(f"<p>{number}</p>")
    poll(container, source)
    server.edit(old["id"], "<p>Old, corrected</p>")
    later(container)
    poll(container, source)
    assert "Old, corrected" in texts(container)


def test_a_gap_is_filled(container: Container, server: Mastodon) -> None:
    server.post("<p>start</p>")
    source = _added(container, server)
    for number in range(130):
        server.post(f"<p>{number}</p>")
    poll(container, source)
    with container.store.reading() as tx:
        assert tx.stream.activities.facets(Query(), {}).counts["kind"]["post"] == 131


@pytest.mark.parametrize("link", ['<https://evil.example/api?min_id=1>; rel="prev"', "nonsense", '<>; rel="next"'])
def test_a_server_that_lies_about_pages_ends_no_poll(container: Container, server: Mastodon, link: str) -> None:
    server.post("<p>start</p>")
    source = _added(container, server)
    server.link, server.ignores_ids = link, True
    for number in range(130):
        server.post(f"<p>{number}</p>")
    before = sum(server.hits.values())
    assert poll(container, source).new == 40
    assert sum(server.hits.values()) - before <= 10


def test_replies_and_boosts_can_be_left_out(container: Container, server: Mastodon) -> None:
    server.account("bob")
    server.post("<p>Post</p>")
    server.post("<p>Reply</p>", in_reply_to_id="7", in_reply_to_account_id="1001")
    server.post(reblog=server.post("<p>Boosted</p>", "bob"))
    source = _added(container, server, exclude=["boosts", "replies"])
    assert texts(container) == ["Post"]
    assert f"{PAGE}?limit=40&exclude_replies=true&exclude_reblogs=true" in server.queries
    assert stored(container, source).options["exclude"] == ["boosts", "replies"]


def test_a_boost_shows_both_authors(container: Container, server: Mastodon) -> None:
    server.account("bob")
    server.post(reblog=server.post("<p>Boosted</p>", "bob"))
    _added(container, server)
    [item] = items(container)
    assert item.content.kind is ActivityKind.REPOST
    assert item.object is not None
    assert item.object.content.text == "Boosted"


def test_the_same_post_from_an_account_and_a_hashtag_has_one_key(container: Container, server: Mastodon) -> None:
    server.post("<p>Both</p>", tags=[{"name": "open"}])
    _added(container, server)
    source, _ = container.subscribe(f"hashtag:open@{server.host}")
    assert (source.name, KIND.web_page(source)) == (f"#open on {server.host}", f"{server.address}/tags/open")
    assert len({item.key for item in items(container)}) == 1


def test_unlisted_posts_are_stored_only_if_asked_for(container: Container, server: Mastodon) -> None:
    server.post("<p>Public</p>")
    server.post("<p>Unlisted</p>", visibility="unlisted")
    source = _added(container, server)
    assert texts(container) == ["Public"]
    server.post("<p>Unlisted, too</p>", visibility="unlisted")
    poll(container, source)
    assert stored(container, source).poll.document_note == "Unlisted posts are left out."
    server.account("eve")
    server.post("<p>Hers</p>", "eve", visibility="unlisted")
    container.subscribe(f"@eve@{server.host}", Subscription(options={"unlisted": True}))
    assert texts(container) == ["Hers", "Public"]


def test_a_closed_server_is_left_to_its_feeds(container: Container, server: Mastodon) -> None:
    server.closed = True
    with pytest.raises(SourceError) as problem:  # this server has no feed either
        container.subscribe(f"{server.address}/@ada")
    assert not isinstance(problem.value, MissingAccountError)
    assert server.hits["/@ada"] == 1  # where its page would announce one


def test_a_server_that_closes_its_api_says_what_to_do(container: Container, server: Mastodon) -> None:
    server.post()
    source = _added(container, server)
    server.closed = True
    assert ".rss" in (poll(container, source).error or "")
    assert len(items(container)) == 1


def test_a_missing_account_is_named(container: Container, server: Mastodon) -> None:
    with pytest.raises(SourceError):
        container.subscribe(f"@nobody@{server.host}")
    server.no_webfinger = True
    with pytest.raises(SourceError):
        container.subscribe(f"@ada@{server.host}")


def test_an_account_that_was_deleted_keeps_its_items_until_a_person_decides(
    container: Container, server: Mastodon
) -> None:
    server.post()
    source = _added(container, server)
    del server.accounts["ada"]
    report = poll(container, source)
    assert "no longer has this account" in (report.error or "")
    [item] = items(container)
    assert item.upstream is Upstream.LIVE


def test_rate_limits_are_kept(container: Container, server: Mastodon) -> None:
    server.post()
    source = _added(container, server)
    until = utc_now().replace(microsecond=0) + timedelta(hours=3)
    server.remaining, server.reset = "0", f"{until:%Y-%m-%dT%H:%M:%S}.000Z"
    server.post()
    poll(container, source)
    due = stored(container, source).poll.due
    assert due is not None
    assert due >= until - timedelta(seconds=5)
    server.remaining, server.busy = None, 1
    later = until + timedelta(hours=1)
    container.clock = lambda: later
    assert poll(container, source).error is not None
    assert items(container)


def test_what_the_account_wishes_is_told(container: Container, server: Mastodon) -> None:
    server.account("shy", noindex=True, discoverable=False, moved={"acct": "shy@else.example"})
    preview = container.preview(f"@shy@{server.host}")
    text = " ".join(preview.notes)
    assert "not to index" in text
    assert "@shy@else.example" in text


def test_pages_of_other_sites_are_read_as_before(container: Container, server: Mastodon) -> None:
    server.no_webfinger = True  # a site with profiles of another kind
    with pytest.raises(SourceError):
        container.subscribe(f"{server.address}/@ada")
    assert server.hits["/@ada"] == 1  # its page, which might announce a feed


def test_a_status_with_an_odd_time_has_none(container: Container, server: Mastodon) -> None:
    server.post("<p>Odd</p>", created_at="yesterday")
    _added(container, server)
    [item] = items(container)
    assert item.content.published is None
    assert isinstance(item.position, datetime)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("@Ada@Social.example", "@ada@social.example"),
        ("hashtag:Open@social.example", "hashtag:open@social.example"),
        ("https://social.example/@ada", None),
        ("@ada", None),
    ],
)
def test_spellings_share_a_key(address: str, key: str | None) -> None:
    assert KIND.address_key(address) == key
