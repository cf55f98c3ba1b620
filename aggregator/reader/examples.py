"""Build example responses for the documentation with the code of the real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from aggregator.domain.activity import (
    Activity,
    ActivityKind,
    Actor,
    Content,
    Link,
    Mention,
    Original,
    Review,
    SourceRef,
    Upstream,
)
from aggregator.domain.source import Policy, PollState, Source, SourceState
from aggregator.domain.stream import Changes, Cursor, Page
from aggregator.reader import serialization
from aggregator.reader.schemas import SourceList
from aggregator.reader.visibility import EVERYTHING, PUBLIC

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Struct

_PUBLISHED = datetime(2014, 4, 15, 16, 20, tzinfo=UTC)
_SEEN = _PUBLISHED + timedelta(minutes=3)

_ORIGINAL = Content(
    kind=ActivityKind.POST,
    network="x",
    url="https://x.com/OpenGovHub/status/456100000000000001",
    actor=Actor("x", "2001", "Open Gov Hub", "OpenGovHub", "https://x.com/OpenGovHub"),
    text="@opengovpart is looking for local researchers: https://example.org/apply #applytoday",
    html='<a href="https://x.com/opengovpart">@opengovpart</a> is looking for local researchers: '
    '<a href="https://example.org/apply">example.org/apply</a> #applytoday',
    lang="en",
    published=_PUBLISHED - timedelta(hours=2),
    links=(Link("https://example.org/apply", "example.org/apply"),),
    hashtags=("applytoday",),
    mentions=(Mention("opengovpart", "1001", "https://x.com/opengovpart"),),
)
_WHO = Actor("x", "1001", "Open Government Partnership", "opengovpart", "https://x.com/opengovpart")
_REPOST = Activity(
    id=1042,
    source=SourceRef("opengovpart", "Open Government Partnership"),
    native_id="456130000000000001",
    key="x:456130000000000001",
    content=Content(
        kind=ActivityKind.REPOST,
        network="x",
        url="https://x.com/opengovpart/status/456130000000000001",
        actor=_WHO,
        text=_ORIGINAL.text,
        html=_ORIGINAL.html,
        lang="en",
        published=_PUBLISHED,
    ),
    object=Original("x:456100000000000001", "456100000000000001", _ORIGINAL),
    object_key="x:456100000000000001",
    first_seen=_SEEN,
    position=_PUBLISHED,
    revision=5120,
    fingerprint="",
    upstream=Upstream.LIVE,
    review=Review.PUBLISHED,
    review_by="policy",
    review_reason="",
    visible=True,
)
_SOURCE = Source(
    id=1,
    slug="ministry-news",
    name="Ministry of Justice: News",
    kind="rss",
    address="https://example.org/news/feed",
    host="example.org:443",
    options={},
    policy=Policy.AUTO,
    state=SourceState.ACTIVE,
    state_reason="",
    every=None,
    floor=timedelta(minutes=15),
    created=_PUBLISHED,
    revision=5101,
    poll=PollState(
        due=_SEEN + timedelta(minutes=15),
        due_reason="",
        failures=0,
        fetch_state={},
        last_polled=_SEEN,
        last_success=_SEEN,
        last_new=_PUBLISHED,
    ),
)

_ACTIVITY = "/api/v1/activities/{activity_id}"
# Queries of the examples that call an operation.
_QUERIES = {
    "/api/v1/activities": "?kind=article&limit=5",
    "/api/v1/facets": "?kind=article",
    "/api/v1/changes": "?after=0&limit=100",
    "/api/v1/live": "?kind=event",
    "/api/v1/sources": "?limit=100",
    "/events.ics": "?kind=event",
}


EXAMPLE_BASE = "https://stream.example"  # in commands, until the public URL is known


def command(base: str, path: str) -> str:
    """Return the command that calls an operation with curl."""
    query = _QUERIES.get(path, "?kind=article" if path.startswith("/feed.") else "")
    options = "-N " if path == "/api/v1/live" else ""  # the stream has no end, so nothing may be buffered
    return f"curl {options}'{base}{path.replace('{activity_id}', str(_REPOST.id))}{query}'"


BY_PATH: Mapping[str, Struct] = {
    "/api/v1/activities": serialization.page(
        Page([_REPOST], Cursor(_REPOST.position, _REPOST.id), _REPOST.revision), EVERYTHING
    ),
    _ACTIVITY: serialization.activity(_REPOST, EVERYTHING),
    "/api/v1/changes": serialization.changes(
        Changes([_REPOST], [(1041, 5121)], [], [(_WHO, 5122)], upto=5122, more=False), "4f1d2c", EVERYTHING, _SEEN
    ),
    "/api/v1/sources": SourceList((serialization.source(_SOURCE, _SEEN, PUBLIC),), None),
}
