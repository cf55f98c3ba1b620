"""Test the feed source over real HTTP on loopback."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any, TypeVar

import pytest
from aiohttp import web

from aggregator.domain.errors import BadRequestError, StatusError, UnreachableError, UnreadableError
from aggregator.domain.polling.host_limits import HostTurn
from aggregator.domain.polling.results import Discovery, Failure, FetchResult, PollOutcome
from aggregator.domain.source import Policy, PollState, Source, SourceState
from aggregator.fetching.client import Http
from aggregator.source_api.kind import PollContext, SourceKind
from aggregator.sources.rss.document import READER
from aggregator.sources.rss.plugin import KIND

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FEED = (
    b'<rss version="2.0"><channel><title>The Daily Tide</title><item><guid isPermaLink="false">1</guid>'
    b"<title>One</title></item></channel></rss>"
)
GROWN = FEED.replace(b"</channel>", b"<item><guid>2</guid><title>Two</title></item></channel>")
_T = TypeVar("_T")


class EveryTurn:
    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        assert not endpoint  # feeds have none
        assert ":" in host
        yield HostTurn()

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        assert not endpoint
        assert ":" in host
        assert reason
        return until or NOW + timedelta(hours=1)


@dataclass
class Publisher:
    """Serves the bodies in `pages`, and responds 304 to a matching ETag."""

    base: str = ""
    pages: dict[str, tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)

    def serve(self, path: str, body: bytes, content_type: str = "application/rss+xml", **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (body, {"Content-Type": content_type, **named})
        return self.base + path

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.path, request.headers.copy()))
        body, headers = self.pages[request.path]
        if "ETag" in headers and request.headers.get("If-None-Match") == headers["ETag"]:
            return web.Response(status=304, headers={"ETag": headers["ETag"], "Last-Modified": "newer"})
        return web.Response(body=body, headers=headers, status=self.statuses.get(request.path, 200))


def run(script: Callable[[Publisher, PollContext], Awaitable[_T]], *, deadline: float = float("inf")) -> _T:
    async def main() -> _T:
        publisher = Publisher()
        app = web.Application()
        app.router.add_get("/{path:.*}", publisher.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        publisher.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        networks = (ip_network("127.0.0.1/32"),)
        try:
            rate_limiter = EveryTurn()
            async with Http(
                user_agent="test", private_networks=networks, rate_limiter=rate_limiter, clock=lambda: NOW
            ) as http:
                return await script(publisher, PollContext(http, lambda: NOW, rate_limiter, deadline=deadline))
        finally:
            await runner.cleanup()

    return asyncio.run(main())


def source(number: int, address: str, state: Mapping[str, Any] | None = None) -> Source:
    return Source(
        id=number,
        slug=f"s{number}",
        name=f"S{number}",
        kind="rss",
        address=address,
        host="127.0.0.1:1",
        options={},
        policy=Policy.AUTO,
        state=SourceState.ACTIVE,
        state_reason="",
        every=timedelta(minutes=15),
        floor=timedelta(minutes=15),
        created=NOW,
        revision=1,
        poll=PollState(
            due=NOW,
            due_reason="",
            failures=0,
            fetch_state=state or {},
        ),
    )


async def poll(context: PollContext, *sources: Source) -> dict[int, FetchResult | Failure]:
    return {polled.source_id: polled.outcome async for polled in KIND.poll(sources, context)}


async def poll_one(context: PollContext, polled: Source) -> FetchResult:
    outcome = (await poll(context, polled))[polled.id]
    assert isinstance(outcome, FetchResult), outcome
    return outcome


def test_the_kind_is_a_source_kind_without_options() -> None:
    kind: SourceKind = KIND
    assert (kind.name, kind.queue) == ("rss", "feeds")
    assert kind.parse_options({}) == {}
    with pytest.raises(BadRequestError, match="'colour'"):
        kind.parse_options({"colour": 1})


def test_a_first_poll_brings_the_entries_and_what_to_remember() -> None:
    async def script(publisher: Publisher, context: PollContext) -> FetchResult:
        return await poll_one(context, source(1, publisher.serve("/f", FEED, ETag='W/"a"', Last_Modified="then")))

    found = run(script)
    assert [activity.native_id for activity in found.activities] == ["1"]
    assert (found.unchanged, found.name, found.note) == (False, "The Daily Tide", None)
    assert (found.state["etag"], found.state["modified"], found.state["reader"]) == ('W/"a"', "then", READER)
    assert found.facts is not None
    assert (found.facts.status, found.facts.bytes, found.facts.requests) == (200, len(FEED), 1)


def test_validators_are_sent_back_and_a_304_updates_them() -> None:
    async def script(publisher: Publisher, context: PollContext) -> tuple[FetchResult, Mapping[str, str]]:
        address = publisher.serve("/f", FEED, ETag='W/"a"', Last_Modified="then")
        first = await poll_one(context, source(1, address))
        return await poll_one(context, source(1, address, first.state)), publisher.requests[1][1]

    second, sent = run(script)
    assert (sent["If-None-Match"], sent["If-Modified-Since"]) == ('W/"a"', "then")
    assert second.unchanged
    assert not second.activities
    assert (second.state["etag"], second.state["modified"]) == ('W/"a"', "newer")
    assert second.state["body_sha256"]


def test_the_same_bytes_are_unchanged_and_a_dropped_validator_is_forgotten() -> None:
    async def script(publisher: Publisher, context: PollContext) -> tuple[FetchResult, FetchResult]:
        address = publisher.serve("/f", FEED, ETag='"a"', Last_Modified="then")
        first = await poll_one(context, source(1, address))
        publisher.serve("/f", FEED, ETag='"b"')
        second = await poll_one(context, source(1, address, first.state))
        publisher.serve("/f", GROWN, ETag='"c"')
        return second, await poll_one(context, source(1, address, second.state))

    second, third = run(script)
    assert second.unchanged
    assert second.state["etag"] == '"b"'
    assert "modified" not in second.state
    assert not third.unchanged
    assert (len(third.activities), third.skipped, third.entries) == (
        1,
        1,
        2,
    )  # entries with unchanged bytes are skipped


@pytest.mark.parametrize("change", [{"url": "https://other.example/"}, {"reader": READER - 1}])
def test_what_is_remembered_of_another_address_or_reader_does_not_count(change: dict[str, Any]) -> None:
    async def script(publisher: Publisher, context: PollContext) -> tuple[FetchResult, Mapping[str, str]]:
        address = publisher.serve("/f", FEED, ETag='"a"')
        first = await poll_one(context, source(1, address))
        return await poll_one(context, source(1, address, {**first.state, **change})), publisher.requests[1][1]

    second, sent = run(script)
    assert "If-None-Match" not in sent
    assert not second.unchanged
    assert len(second.activities) == 1


def test_each_source_fails_alone() -> None:
    async def script(publisher: Publisher, context: PollContext) -> dict[int, FetchResult | Failure]:
        good = [source(n, publisher.serve(f"/good{n}", FEED)) for n in range(30)]
        publisher.statuses["/gone"] = 500
        bad = [
            source(100, publisher.serve("/html", b"<html><title>Sold!</title>", "text/html")),
            source(101, publisher.serve("/gone", b"")),
            source(102, "http://127.0.0.1:9/"),
            source(103, publisher.serve("/torn", b'<?xml version="1.0"?><rss version="2.0"><cha')),
            source(104, "http://127.0.0.1:1/ what"),
        ]
        return await poll(context, *good, *bad)

    outcomes = run(script)
    assert all(isinstance(outcomes[n], FetchResult) for n in range(30))
    failures = {n: outcome for n, outcome in outcomes.items() if isinstance(outcome, Failure)}
    assert sorted(failures) == [100, 101, 102, 103, 104]
    assert isinstance(failures[100].error, UnreadableError)
    assert 'HTML page titled "Sold!"' in str(failures[100].error)
    assert isinstance(failures[101].error, StatusError)
    assert isinstance(failures[102].error, UnreachableError)
    assert "broken" in str(failures[103].error)
    facts = failures[101].facts
    assert facts is not None
    assert (facts.status, facts.requests) == (500, 1)


def test_what_nobody_foresaw_fails_one_source_and_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    async def script(publisher: Publisher, context: PollContext) -> dict[int, FetchResult | Failure]:
        address = publisher.serve("/f", FEED)
        broken = source(1, address, {"url": address, "reader": READER, "etag": 7})  # not what we ever store
        return await poll(context, broken, source(2, address))

    outcomes = run(script)
    failed = outcomes[1]
    assert isinstance(failed, Failure)
    assert isinstance(failed.error, UnreadableError)
    assert "TypeError" in str(failed.error)
    assert isinstance(outcomes[2], FetchResult)
    assert "poll failed unexpectedly" in capsys.readouterr().out


def test_sources_not_begun_by_the_deadline_are_left_for_the_next_tick() -> None:
    async def script(publisher: Publisher, context: PollContext) -> dict[int, FetchResult | Failure]:
        return await poll(context, source(1, publisher.serve("/f", FEED)))

    assert run(script, deadline=time.monotonic() - 1) == {}


def test_a_poll_that_is_given_up_leaves_nothing_running() -> None:
    async def script(publisher: Publisher, context: PollContext) -> int:
        polling = KIND.poll([source(n, publisher.serve(f"/{n}", FEED)) for n in range(20)], context)
        assert isinstance(await anext(polling), PollOutcome)
        await polling.aclose()  # type: ignore[attr-defined]  # the protocol promises an iterator; this one is a generator
        return len([task for task in asyncio.all_tasks() if "poll.<locals>" in repr(task.get_coro())])

    assert run(script) == 0


def discover(address: str, pages: Mapping[str, tuple[bytes, str]]) -> tuple[Discovery | None, list[str], str]:
    async def script(publisher: Publisher, context: PollContext) -> tuple[Discovery | None, list[str], str]:
        for path, (body, content_type) in pages.items():
            publisher.serve(path, body, content_type)
        found = await KIND.discover(address.replace("BASE", publisher.base), context)
        return found, [path for path, _ in publisher.requests], publisher.base

    return run(script)


def test_a_feed_is_discovered_with_one_request_that_already_brings_its_entries() -> None:
    found, requests, base = discover("feed:BASE/f?utm_source=x", {"/f": (FEED, "text/xml")})
    assert found is not None
    assert requests == ["/f"]
    assert (found.kind, found.address, found.name, found.slug) == (
        "rss",
        f"{base}/f",
        "The Daily Tide",
        "the-daily-tide",
    )
    assert found.host == base.removeprefix("http://")
    assert (found.every, found.floor) == (None, timedelta(seconds=1))
    assert found.first_result is not None
    assert len(found.first_result.activities) == 1
    assert found.first_result.state["url"] == found.address


def test_a_page_leads_to_the_feed_that_it_announces() -> None:
    page = b'<html><link rel="alternate" type="application/rss+xml" href="/feed">'
    found, requests, base = discover("BASE/", {"/": (page, "text/html"), "/feed": (FEED, "text/xml")})
    assert found is not None
    assert found.address == f"{base}/feed"
    assert requests == ["/", "/feed"]


@pytest.mark.parametrize(
    ("body", "content_type", "words"),
    [
        (b"<html><title>Welcome</title>", "text/html", 'an HTML page titled "Welcome" without a feed link'),
        (b"{}", "application/json", "JSON without a feed"),
        (b"\x89PNG" + b"\0" * 12_000, "image/png", "image/png of 12 kB"),
        (b"", "text/html", "an empty body"),
    ],
)
def test_what_is_no_feed_is_refused_with_what_was_seen(body: bytes, content_type: str, words: str) -> None:
    with pytest.raises(UnreadableError, match=words):
        discover("BASE/", {"/": (body, content_type)})


def test_a_feed_without_a_title_is_named_after_its_host() -> None:
    found, _, _ = discover("BASE/", {"/": (FEED.replace(b"The Daily Tide", b""), "text/xml")})
    assert found is not None
    assert (found.name, found.slug) == ("127.0.0.1", "127-0-0-1")


@pytest.mark.parametrize(
    "address", ["@ann", "ann", "ann@example.org", "mailto:a@example.org", "file:///x", "", "a b.c"]
)
def test_what_is_no_web_address_is_for_another_kind(address: str) -> None:
    assert discover(address, {})[0] is None


@pytest.mark.parametrize(
    "address", ["nowhere.invalid/feed", "feed://nowhere.invalid/feed", "feed:nowhere.invalid/feed"]
)
def test_a_bare_address_means_https(address: str) -> None:
    with pytest.raises(UnreachableError, match=r"https://nowhere\.invalid/feed"):
        discover(address, {})
