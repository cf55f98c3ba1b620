"""Test changing the address of a source, on both databases, with a scripted kind of source."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from aggregator.domain.errors import BadRequestError, NotFoundError, UnreachableError
from aggregator.services.readdress import readdress
from aggregator.source_api.kind import PollContext
from tests.building import NOON, add_source
from tests.services.test_subscribe import NEWS, Knowing

if TYPE_CHECKING:
    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.domain.source import Source
    from aggregator.fetching.client import Http
    from storage.store import Store

NEW = "https://elsewhere.example/feed"
THERE = replace(NEWS, kind="rss", address=NEW, host="elsewhere.example:443", name="Elsewhere")


def change(store: Store, slug: str = "news", there: object = THERE) -> Source:
    context = PollContext(cast("Http", None), lambda: NOON, cast("RateLimiter", None))
    kind = Knowing({NEW: there}, name="rss")  # type: ignore[dict-item]  # also exceptions
    return asyncio.run(readdress(slug, NEW, [kind], context, store, "ana"))


def test_a_source_keeps_its_settings_and_starts_afresh_at_the_new_address(store: Store) -> None:
    source = add_source(store)
    with store.writing() as tx:
        tx.polling.sources.change(source.id, fetch_state={"etag": "x"}, options={"identity": "link"}, name="Our news")

    moved = change(store)

    assert (moved.id, moved.slug, moved.name) == (source.id, "news", "Our news")
    assert (moved.address, moved.own_host) == (NEW, "elsewhere.example:443")
    assert moved.options == {"identity": "link"}
    assert moved.poll.fetch_state == {}
    assert moved.poll.due == NOON
    with store.reading() as tx:
        assert [each.place.address for each in tx.polling.sources.former_addresses(source.id)] == [source.address]
        (note,) = tx.moderation.audit.page(subject="source:news")
    assert (note["who"], note["what"], note["detail"]["to"]) == ("ana", "source moved", NEW)


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (replace(THERE, kind="rss", address="https://news.example/feed"), "is the present address"),
        (replace(THERE, address="https://other.example/feed"), "is the address of another source"),
        (UnreachableError("It can't be reached."), "can't be reached"),
        (None, "isn't"),
    ],
)
def test_an_address_that_does_not_fit_changes_nothing(store: Store, there: object, reason: str) -> None:
    source = add_source(store)
    add_source(store, "other")
    with pytest.raises((BadRequestError, UnreachableError), match=reason):
        change(store, there=there)
    with store.reading() as tx:
        assert tx.polling.sources.get("news") == source


def test_another_kind_managed_sources_and_credentials_are_refused(store: Store) -> None:
    add_source(store, "social", kind="twitter")
    with pytest.raises(BadRequestError, match="is read as rss, but this source is twitter"):
        change(store, "social")
    with pytest.raises(NotFoundError):
        change(store, "gone")
    managed, sealed = add_source(store, "managed"), add_source(store, "sealed")
    with store.writing() as tx:
        tx.polling.sources.change(managed.id, managed="sources.toml")
        tx.polling.sources.change(sealed.id, sealed="secret")
    with pytest.raises(BadRequestError, match=r"managed by sources\.toml"):
        change(store, "managed")
    with pytest.raises(BadRequestError, match="credentials"):
        change(store, "sealed")
