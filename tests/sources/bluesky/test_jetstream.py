"""Test the Jetstream client against a server with real WebSockets: contract, hostile messages, position and silence."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.compliance.takedowns import Fate
from aggregator.domain.errors import (
    BrokenOffError,
    FetchError,
    ForbiddenAddressError,
    RedirectError,
    StatusError,
    TooLargeError,
    UnreadableError,
)
from aggregator.fetching.client import Http
from aggregator.fetching.web_socket import MOST_BYTES
from aggregator.source_api.push import (
    AccountChanged,
    AccountRemoved,
    AccountRestored,
    Followed,
    PostDeleted,
    ProfileChanged,
    Reached,
)
from aggregator.sources.bluesky import jetstream as client
from aggregator.sources.bluesky.jetstream import COLLECTIONS, MOST_DIDS, listen, moment_of
from tests.fetching.server import Turns
from tests.reader.serving import until
from tests.sources.bluesky.jetstream_server import Jetstream, jetstream, post_event
from tests.sources.bluesky.server import ADA, BOB, POSTS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from aggregator.source_api.push import PushEvent

POST = f"at://{ADA}/{POSTS}/3kpost"
REPOST = f"at://{ADA}/app.bsky.feed.repost/3krepost"
AT = datetime(2026, 11, 1, 10, tzinfo=UTC)
TIME_US = 1_793_527_200_000_000


@pytest.fixture
def server() -> Iterator[Jetstream]:
    with jetstream() as server:
        yield server


@asynccontextmanager
async def _http(*networks: str) -> AsyncIterator[Http]:
    private = [ip_network(network) for network in networks]
    async with Http(user_agent="test", private_networks=private, rate_limiter=Turns()) as http:
        yield http


def _base(server: Jetstream) -> str:
    return server.address.replace("ws:", "http:") + "/subscribe"


def _received(
    server: Jetstream,
    act: Callable[[], object],
    count: int,
    *,
    followed: Followed | None = None,
    since: datetime | None = None,
) -> list[PushEvent]:
    """Return the first events after something was done while the stream was open, or those of a replay."""

    async def work() -> list[PushEvent]:
        events: list[PushEvent] = []
        tasks: list[asyncio.Task[None]] = []
        async with _http("127.0.0.1") as http:
            stream = listen(http, _base(server), followed or Followed((ADA,)), since)
            async with asyncio.timeout(30), aclosing(stream) as received:
                async for event in received:
                    if event is None:
                        tasks.append(asyncio.create_task(asyncio.to_thread(_once_listening, server, act)))
                    else:
                        events.append(event)
                    if len(events) == count:
                        break
            await asyncio.gather(*tasks)
        return events

    return asyncio.run(work())


def _nothing() -> None:
    pass


def _once_listening(server: Jetstream, act: Callable[[], object]) -> None:
    until(lambda: server.connections == 1)
    act()


# Contract


def test_a_subscription_names_collections_in_its_address_and_accounts_in_a_message(server: Jetstream) -> None:
    followed = Followed((ADA, BOB, "no DID"))
    _received(server, lambda: server.account(ADA), 1, followed=followed, since=AT)
    [query] = server.queries
    assert query == {
        "wantedCollections": list(COLLECTIONS),
        "maxMessageSizeBytes": [str(MOST_BYTES)],
        "requireHello": ["true"],
        "cursor": [str(TIME_US)],
    }
    assert "wantedDids" not in query


def test_each_operation_gives_its_event_and_then_its_time(server: Jetstream) -> None:
    def act() -> None:
        server.commit("create", POST)
        server.commit("update", POST)
        server.commit("create", REPOST, {"subject": {"uri": POST, "cid": "bafy"}})
        server.delete(POST)
        server.delete(REPOST)
        server.profile(ADA)
        server.identity(ADA, "new.example")
        for status in ("deleted", "deactivated", "suspended", "takendown", "throttled", None):
            server.account(ADA, status)
        server.commit("create", f"at://{ADA}/app.bsky.feed.like/3klike")
        server.commit("create", POST.replace(ADA, BOB))
        server.account(BOB, "deleted")
        server.commit("create", POST)

    found = _received(server, act, 28)
    events = [event for event in found if not isinstance(event, Reached)]
    at = [moment_of(event["time_us"]) for event in server.events]
    changed = AccountChanged(ADA)
    assert events == [
        AccountChanged(ADA, POST, at=at[0]),
        changed,
        AccountChanged(ADA, REPOST, POST, at[2]),
        PostDeleted(POST, ADA, at[3]),
        PostDeleted(REPOST, ADA, at[4]),
        ProfileChanged(ADA),
        ProfileChanged(ADA),
        AccountRemoved(ADA, Fate.DELETED, at[7]),
        AccountRemoved(ADA, Fate.DEACTIVATED, at[8]),
        AccountRemoved(ADA, Fate.SUSPENDED, at[9]),
        AccountRemoved(ADA, Fate.SUSPENDED, at[10]),
        changed,
        AccountRestored(ADA),
        changed,
        AccountChanged(ADA, POST, at=at[-1]),
    ]
    reached = [event.at for event in found if isinstance(event, Reached)]
    assert reached == [*at[:13], at[-1]][: len(reached)]


@pytest.mark.parametrize("subject", [None, "text", {}, {"uri": 5}, {"uri": REPOST}, {"uri": "https://example.org"}])
def test_a_repost_of_nothing_is_only_a_change_of_its_account(server: Jetstream, subject: Any) -> None:
    [found, _] = _received(server, lambda: server.commit("create", REPOST, {"subject": subject}), 2)
    assert found == AccountChanged(ADA)


def test_a_replay_begins_at_the_cursor_and_goes_over_into_the_live_stream(server: Jetstream) -> None:
    for number in range(50):
        server.commit("create", f"at://{ADA}/{POSTS}/3k{number}")
    since = moment_of(server.events[20]["time_us"])
    found = _received(server, lambda: server.delete(POST), 62, since=since)
    posts = [event.post for event in found if isinstance(event, AccountChanged)]
    assert posts == [f"at://{ADA}/{POSTS}/3k{number}" for number in range(20, 50)]
    assert isinstance(found[-2], PostDeleted)


def test_changed_accounts_are_sent_over_the_open_connection(server: Jetstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_LOOK_EVERY", 0.05)
    followed = Followed((ADA,))

    def act() -> None:
        followed.accounts = (ADA, BOB)
        until(lambda: server.wanted == {ADA, BOB})
        server.account(BOB, "deleted")

    [event] = _received(server, act, 1, followed=followed)
    assert isinstance(event, AccountRemoved)
    assert event.native_id == BOB
    assert len(server.queries) == 1


def test_without_accounts_nothing_is_connected_and_the_last_removed_one_closes(
    server: Jetstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LOOK_EVERY", 0.05)
    followed = Followed()

    async def work() -> None:
        async with _http("127.0.0.1") as http, aclosing(listen(http, _base(server), followed, None)) as stream:
            first = asyncio.ensure_future(anext(stream))
            done, _ = await asyncio.wait({first}, timeout=0.3)
            assert not done
            assert server.queries == []
            followed.accounts = (ADA,)
            async with asyncio.timeout(30):
                assert await first is None
                followed.accounts = ()
                assert [event async for event in stream] == []

    asyncio.run(work())
    until(lambda: server.subscribers == [])


def test_of_more_accounts_than_a_server_accepts_all_events_come_and_others_are_left_out(server: Jetstream) -> None:
    dids = tuple(f"did:plc:{number}" for number in range(MOST_DIDS + 1))

    def act() -> None:
        assert server.wanted == frozenset()
        server.commit("create", POST)  # of an account that nobody follows
        server.commit("create", POST.replace(ADA, dids[-1]))

    found = _received(server, act, 1, followed=Followed(dids))
    at = moment_of(server.events[-1]["time_us"])
    assert found == [AccountChanged(dids[-1], POST.replace(ADA, dids[-1]), at=at)]


def test_as_many_accounts_as_a_server_accepts_are_named(server: Jetstream) -> None:
    dids = tuple(f"did:plc:{'x' * 24}{number:04}" for number in range(MOST_DIDS))
    _received(server, lambda: server.account(dids[-1]), 1, followed=Followed(dids))
    assert server.events


# Hostile servers


@pytest.mark.parametrize(
    "message",
    ["", "{", "[]", "null", "1", '"text"', "[" * 100_000, "{}", '{"did":' * 50_000, '{"time_us":' + "9" * 5000 + "}"],
    ids=lambda text: text[:12] or "empty",
)
def test_messages_that_are_no_event_are_left_out(server: Jetstream, message: str) -> None:
    def act() -> None:
        server.send(message)
        server.delete(POST)

    [event] = _received(server, act, 1)
    assert isinstance(event, PostDeleted)


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 20_000_000])
def test_a_message_that_is_too_large_ends_the_connection(server: Jetstream, size: int) -> None:
    with pytest.raises(TooLargeError):
        _received(server, lambda: server.send("x" * size), 1)


def test_a_message_that_is_no_text_ends_the_connection(server: Jetstream) -> None:
    with pytest.raises(UnreadableError):
        _received(server, lambda: server.send(b"\x28\xb5\x2f\xfd zstd that was not asked for"), 1)


def test_a_broken_connection_is_an_error(server: Jetstream) -> None:
    with pytest.raises(BrokenOffError):
        _received(server, server.disconnect, 1)


def test_a_closed_connection_is_an_error(server: Jetstream) -> None:
    with pytest.raises(BrokenOffError):
        _received(server, server.close, 1)


def test_a_silent_connection_is_given_up(server: Jetstream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_LOOK_EVERY", 0.02)
    monkeypatch.setattr(client, "_SILENCE", 0.2)
    with pytest.raises(BrokenOffError, match="no event"):
        _received(server, _nothing, 1)


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 503])
def test_a_refused_connection_names_the_status(server: Jetstream, status: int) -> None:
    server.refusal = status
    with pytest.raises(StatusError, match=str(status)) as refused:
        _received(server, _nothing, 1)
    assert refused.value.status == status


def test_a_server_without_web_sockets_is_an_error(server: Jetstream) -> None:
    server.refusal = 200
    with pytest.raises(FetchError, match="opened no WebSocket"):
        _received(server, _nothing, 1)


def test_redirects_are_not_followed(server: Jetstream) -> None:
    with jetstream() as other:
        server.redirect = _base(other)
        with pytest.raises(RedirectError):
            _received(server, _nothing, 1)
        assert other.queries == []


def test_a_private_address_is_refused_unless_it_is_allowed(server: Jetstream) -> None:
    async def work() -> None:
        async with _http() as http, aclosing(listen(http, _base(server), Followed((ADA,)), None)) as stream:
            await anext(stream)

    with pytest.raises(ForbiddenAddressError, match="AGGREGATOR_PRIVATE_NETWORKS"):
        asyncio.run(work())
    assert server.queries == []


def test_a_flood_waits_at_its_sender_until_events_are_taken(server: Jetstream) -> None:
    text = json.dumps({**post_event(ADA), "time_us": TIME_US, "padding": "x" * 10_000})
    sent: list[int] = []

    async def flood() -> None:
        for number in range(5000):
            await server.subscribers[0].socket.send_str(text)
            sent.append(number)

    async def work() -> tuple[int, int]:
        async with _http("127.0.0.1") as http, aclosing(listen(http, _base(server), Followed((ADA,)), None)) as stream:
            assert await anext(stream) is None
            await asyncio.to_thread(_once_listening, server, _nothing)
            flooding = asyncio.run_coroutine_threadsafe(flood(), server._loop)
            before = -1
            while len(sent) != before:  # until nothing more is accepted
                before = len(sent)
                await asyncio.sleep(0.5)
            stopped, count = len(sent), 0
            async for event in stream:
                count += isinstance(event, AccountChanged)
                if count == 5000:
                    break
            await asyncio.wrap_future(flooding)
            return stopped, count

    stopped, count = asyncio.run(work())
    assert stopped < 4000  # 10 kB each: buffers of the operating system, and no more
    assert count == 5000


# Positions


def _positions(server: Jetstream, times: list[Any], since: datetime | None = None) -> list[datetime]:
    def act() -> None:
        for time_us in times:
            server.send(json.dumps({**post_event(ADA), "time_us": time_us}))
        server.send(json.dumps({**post_event(ADA, "3klast"), "time_us": None}))

    events: list[PushEvent] = []
    tasks: list[asyncio.Task[None]] = []

    async def work() -> None:
        async with _http("127.0.0.1") as http, aclosing(listen(http, _base(server), Followed((ADA,)), since)) as stream:
            async with asyncio.timeout(30):
                async for event in stream:
                    if event is None:
                        tasks.append(asyncio.create_task(asyncio.to_thread(_once_listening, server, act)))
                    else:
                        events.append(event)
                    if isinstance(event, AccountChanged) and event.post.endswith("3klast"):
                        return

    asyncio.run(work())
    return [event.at for event in events if isinstance(event, Reached)]


def test_a_position_follows_the_clock_of_the_server_within_reason(server: Jetstream) -> None:
    future, hour = TIME_US + 10**15, 3_600_000_000
    times = [
        TIME_US,
        TIME_US - 5_000_000,
        future,
        TIME_US - 2 * hour,
        -1,
        0,
        True,
        "1",
        1.5,
        None,
        {},
        10**30,
        TIME_US + 1,
    ]
    found = _positions(server, times)
    assert found == [AT, AT - timedelta(seconds=5), AT + timedelta(microseconds=1)]


def test_a_position_does_not_fall_far_behind_where_the_stream_began(server: Jetstream) -> None:
    assert _positions(server, [TIME_US - 7_200_000_000, TIME_US], since=AT) == [AT]
