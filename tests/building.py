"""Build activities, sources and stored poll results for tests."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Content,
    NewActivity,
    Review,
)
from aggregator.domain.polling.results import Discovery
from aggregator.domain.source import Policy, PollState, Source, SourceState
from aggregator.services.screen_entries import screened
from storage.polling.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.store import Store
    from storage.stream.activities import Stored

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def an_activity(native_id: str = "1", *, digest: str = "", **content: Any) -> NewActivity:
    """Build an activity; `content` are fields of `Content`."""
    defaults = replace(
        Content(
            kind=ActivityKind.ARTICLE,
            network="web",
            url=f"https://news.example/{native_id}",
            actor=Actor("web", "news.example/desk", "News Desk"),
            title=f"Title {native_id}",
            text=f"Text of {native_id}.",
            html=f"<p>Text of {native_id}.</p>",
            lang="en",
            published=NOON,
        ),
        **content,
    )
    return NewActivity(
        native_id=native_id, key=f"web:{native_id}", content=defaults, entry_digest=digest or f"{defaults}", raw=b"{}"
    )


def a_source(**changes: Any) -> Source:
    """Build a source that is not stored."""
    made = Source(
        id=1,
        slug="news",
        name="News",
        kind="rss",
        address="https://news.example/feed",
        host="news.example:443",
        options={},
        policy=Policy.AUTO,
        state=SourceState.ACTIVE,
        state_reason="",
        every=None,
        floor=timedelta(minutes=15),
        created=NOON,
        revision=1,
        poll=PollState(due=NOON),
    )
    return replace(made, **changes)


def add_source(store: Store, slug: str = "news", kind: str = "rss", *, now: datetime = NOON, **changes: Any) -> Source:
    """Add a source that is due now."""
    found = Discovery(
        kind=kind,
        address=changes.get("address", f"https://{slug}.example/feed"),
        host=changes.get("host", f"{slug}.example:443"),
        name=changes.get("name", slug.title()),
        slug=slug,
        every=changes.get("every", timedelta(minutes=15)),
        floor=timedelta(minutes=15),
        options=changes.get("options", {}),
    )
    with store.writing() as tx:
        return tx.polling.sources.add(found, slug=slug, policy=changes.get("policy", Policy.AUTO), now=now)


def lease_of(store: Store, source_id: int) -> Lease:
    """Return the lease of a source."""
    with store.reading() as tx:
        return tx.polling.schedule.leases.all([source_id]).get(source_id, Lease())


def due_of(source: Source) -> datetime:
    """Return when a source is due, which must be polled on a schedule."""
    assert source.poll.due is not None
    return source.poll.due


def ingest_now(store: Store, source: Source, activities: Sequence[NewActivity], *, now: datetime = NOON) -> Stored:
    """Screen and store activities of a source."""
    with store.writing() as tx:
        return tx.stream.activities.store(
            source.id, [screened(activity, source.policy, now) for activity in activities], now
        )


def decide(store: Store, ids: Sequence[int], review: Review, *, now: datetime = NOON) -> set[int]:
    """Make a person's decision on activities."""
    with store.writing() as tx:
        return tx.moderation.reviews.decide(ids, review, by="person", reason="test", now=now)


def token() -> str:
    """Make a lease token."""
    return uuid4().hex
