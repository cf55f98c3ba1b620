"""Test channels and playlists as sources, over real HTTP and on both databases."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import BadRequestError, SourceError
from aggregator.domain.polling.results import PollStatus
from aggregator.services.outages import attend_outages
from aggregator.sources.youtube.plugin import FALLBACK_EVERY, KIND
from aggregator.web.video_players import player
from tests.sources.polled import items, later, poll, stored
from tests.sources.youtube.adding import FEED, PAGE, added, item_of, titles
from tests.sources.youtube.server import CHANNEL, KEY, OTHER, PLAYLIST, YouTube

if TYPE_CHECKING:
    from aggregator.container import Container

without_key = pytest.mark.parametrize("key", [""], ids=["no key"])
FORMS = [PAGE, f"{PAGE}/videos", FEED, CHANNEL, "https://youtube.com/@ada", "www.youtube.com/@ada/streams"]


@pytest.mark.parametrize("address", FORMS)
def test_a_channel_is_followed(container: Container, server: YouTube, address: str) -> None:
    first = server.upload("First")
    source = added(container, address)
    assert (source.kind, source.name, source.address) == ("youtube", "Ada's channel", FEED)
    assert KIND.web_page(source) == PAGE
    [item] = items(container)
    content = item.content
    assert (content.kind, content.network, item.key) == (ActivityKind.VIDEO, "youtube", f"youtube:{first}")
    assert (content.title, content.text) == ("First", "About First\n\n1:30")
    assert content.actor is not None
    assert (content.actor.name, content.actor.url) == ("Ada's channel", PAGE)
    assert content.media[0].preview == f"https://i.ytimg.com/vi/{first}/hqdefault.jpg"
    assert content.media[0].duration == 90
    shown = player(content)
    assert shown is not None
    assert shown.frame == f"https://www.youtube-nocookie.com/embed/{first}?autoplay=1"
    server.upload("Second")
    assert (poll(container, source).new, titles(container)) == (1, ["First", "Second"])
    assert poll(container, source).outcome is PollStatus.UNCHANGED


@without_key
def test_a_channel_needs_no_key(container: Container, server: YouTube) -> None:
    plain, short = server.upload("Plain"), server.upload("Short", short=True)
    source = added(container, "https://www.youtube.com/@ada")
    assert source.address == FEED
    assert item_of(container, plain).content.media[0].duration is None
    content = item_of(container, short).content
    assert (content.url, content.text) == (f"https://www.youtube.com/shorts/{short}", "Short.\n\nAbout Short")
    assert not [path for path in server.hits if path.startswith("/youtube/")]


@pytest.mark.parametrize("key", ["", KEY], ids=["no key", "key"])
@pytest.mark.parametrize("form", ["https://youtu.be/{}", "https://www.youtube.com/watch?v={}&t=4"])
def test_a_video_leads_to_its_channel(container: Container, server: YouTube, form: str) -> None:
    id_ = server.upload("First")
    assert added(container, form.format(id_)).address == FEED


def test_a_playlist_is_followed(container: Container, server: YouTube) -> None:
    ids = [server.upload("Hers"), server.upload("His", OTHER)]
    server.playlists[PLAYLIST] = ids
    source = added(container, f"https://www.youtube.com/playlist?list={PLAYLIST}")
    assert (source.name, KIND.web_page(source)) == ("A playlist", f"https://www.youtube.com/playlist?list={PLAYLIST}")
    assert titles(container) == ["Hers", "His"]
    added(container)
    assert len({item.key for item in items(container)}) == 2  # a video from both is one


@pytest.mark.parametrize("key", ["", KEY], ids=["no key", "key"])
@pytest.mark.parametrize("address", ["https://www.youtube.com/@nobody", f"{PAGE[:-2]}zz"], ids=["handle", "id"])
def test_a_missing_channel_is_named(container: Container, address: str) -> None:
    with pytest.raises(SourceError):
        added(container, address)


@pytest.mark.parametrize("key", ["", KEY], ids=["no key", "key"])
def test_shorts_can_be_left_out(container: Container, server: YouTube) -> None:
    server.upload("Plain")
    server.upload("Short", short=True)
    source = added(container, exclude=["shorts"])
    assert titles(container) == ["Plain"]
    units = server.units
    poll(container, source)
    assert server.units == units  # a poll doesn't look up videos that are left out


def test_live_streams_can_be_left_out_until_they_end(container: Container, server: YouTube) -> None:
    id_ = server.upload("Stream", snippet={"liveBroadcastContent": "live"}, contentDetails={"duration": "P0D"})
    source = added(container, exclude=["live"])
    assert titles(container) == []
    ended = {"actualStartTime": "2026-11-01T10:00:00Z", "actualEndTime": "2026-11-01T11:00:00Z"}
    details = {"duration": "PT1H"}
    server.change(id_, snippet={"liveBroadcastContent": "none"}, contentDetails=details, liveStreamingDetails=ended)
    later(container)
    poll(container, source)
    assert titles(container) == ["Stream"]


def test_the_feeds_of_youtube_fail_and_the_api_serves_meanwhile(container: Container, server: YouTube) -> None:
    first = server.upload("First", short=True)
    source = added(container)
    before = item_of(container, first)
    server.feeds_fail = 404
    server.upload("Second")
    server.upload("Private", status={"privacyStatus": "private"})
    report = poll(container, source)
    assert (report.error, report.new, report.changed) == (None, 1, 0)
    assert titles(container) == ["First", "Second"]
    assert item_of(container, first) == before  # the API doesn't mark shorts, but they were known
    now = stored(container, source)
    assert "the API is read instead" in (now.poll.document_note or "")
    assert now.poll.due is not None
    assert now.poll.due >= container.clock() + FALLBACK_EVERY - timedelta(minutes=1)
    server.feeds_fail = 0
    report = poll(container, source)
    assert (report.error, report.new, report.changed) == (None, 0, 0)
    assert stored(container, source).poll.document_note is None


def test_a_channel_is_added_while_feeds_fail(container: Container, server: YouTube) -> None:
    server.upload("First")
    server.feeds_fail = 500
    assert added(container).name == "Ada's channel"
    assert titles(container) == ["First"]


@without_key
def test_failing_feeds_are_a_failure_without_a_key(container: Container, server: YouTube) -> None:
    server.upload("First")
    source = added(container)
    server.feeds_fail = 404
    report = poll(container, source)
    assert "answered 404" in report.error
    assert stored(container, source).poll.last_error_code == "http-status"
    assert titles(container) == ["First"]


@pytest.mark.parametrize(("key", "outages"), [("", 1), (KEY, 0)], ids=["no key", "key"])
def test_feeds_that_fail_for_all_channels_are_one_outage(
    container: Container, server: YouTube, key: str, outages: int
) -> None:
    sources = []
    for number in range(4):
        channel = f"UC{number}{'x' * 21}"
        server.channels[channel] = f"Channel {number}"
        server.upload(f"Of {number}", channel)
        sources.append(added(container, channel))
    server.feeds_fail = 404
    reports = [poll(container, source) for source in sources]
    assert [report.error is None for report in reports] == [bool(key)] * 4
    with container.store.writing() as tx:
        attend_outages(tx, None, container.clock())
        assert len(tx.polling.outages.all()) == outages
    assert titles(container) == ["Of 0", "Of 1", "Of 2", "Of 3"]


@pytest.mark.parametrize("fault", ["api", "quota", "key"])
def test_feeds_and_api_fail(container: Container, server: YouTube, fault: str) -> None:
    server.upload("First")
    source = added(container)
    server.feeds_fail = 500
    server.api_fails, server.units = (500 if fault == "api" else 0), (0 if fault == "quota" else 100)
    server.keys = set() if fault == "key" else server.keys
    report = poll(container, source)
    assert "feeds/videos.xml" in report.error  # the outage is that of the feeds
    assert titles(container) == ["First"]


def test_a_deleted_channel_leaves_nothing(container: Container, server: YouTube) -> None:
    for number in range(20):
        server.upload(str(number))
    source = added(container)
    server.terminate()
    assert poll(container, source).error is None
    assert "deleted or terminated" in (stored(container, source).poll.document_note or "")
    assert items(container) == []
    assert "does not have this channel" in poll(container, source).error


def test_a_channel_that_only_its_feed_lacks_stays(container: Container, server: YouTube) -> None:
    server.upload("First")
    source = added(container)
    del server.playlists[f"UU{CHANNEL[2:]}"]
    server.feeds_fail = 404
    assert poll(container, source).error is not None
    assert titles(container) == ["First"]


def test_an_installation_without_units_left_sends_nothing(container: Container, server: YouTube) -> None:
    server.upload("First")
    source = added(container)
    for number in range(205):
        with container.store.writing(lock_stream=False) as tx:
            day = "2026-11-01" if number < 5 else _pacific_day(container)
            tx.billing.ledger.take_unit("youtube", day, "videos.list", source.id)
    sent = server.units
    server.upload("Second")
    assert poll(container, source).error is None
    assert server.units == sent
    assert item_of(container, "video000001").content.media[0].duration is None
    assert "daily quota" in (stored(container, source).poll.document_note or "")
    tomorrow = container.clock() + timedelta(days=1)
    container.clock = lambda: tomorrow
    poll(container, source)
    assert item_of(container, "video000001").content.media[0].duration == 90


def _pacific_day(container: Container) -> str:
    from aggregator.sources.youtube.settings import quota

    return quota({}).day(container.clock())


def test_a_quota_that_the_api_reports_as_used_up_stops_calls_until_midnight(
    container: Container, server: YouTube
) -> None:
    server.upload("First")
    source = added(container)
    server.units = 0
    server.upload("Second")
    poll(container, source)
    assert titles(container) == ["First", "Second"]
    assert "daily quota" in (stored(container, source).poll.document_note or "")
    server.units = 50
    server.upload("Third")
    poll(container, source)
    assert server.units == 50  # it is not asked again before midnight
    tomorrow = container.clock() + timedelta(days=1)
    container.clock = lambda: tomorrow
    poll(container, source)
    assert server.units < 50
    assert all(item.content.media[0].duration for item in items(container))


@pytest.mark.parametrize("status", [400, 403])
def test_a_refused_key_stops_nothing_but_calls(container: Container, server: YouTube, status: int) -> None:
    server.upload("First")
    source = added(container)
    if status == 400:
        server.keys = set()
    else:
        server.api_fails = 403
    server.upload("Second")
    assert poll(container, source).error is None
    assert titles(container) == ["First", "Second"]
    note = stored(container, source).poll.document_note or ""
    assert "refuses the key in AGGREGATOR_YOUTUBE_API_KEY" in note
    calls = server.hits["/youtube/v3/videos"]
    server.upload("Third")
    poll(container, source)
    assert server.hits["/youtube/v3/videos"] == calls  # one call an hour tests the key
    server.keys, server.api_fails = {KEY}, 0
    later(container)
    poll(container, source)
    assert all(item.content.media[0].duration for item in items(container))


def test_a_key_is_named_without_revealing_it(container: Container) -> None:
    found = KIND.credential(container.settings.kinds)
    assert found is not None
    assert (found[0], KEY in found[1], KIND.credential({})) == ("youtube", False, None)


def test_the_key_is_nowhere(
    container: Container, server: YouTube, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    server.upload("First")
    source = added(container)
    server.keys = set()
    server.upload("Second")
    report = poll(container, source)
    server.feeds_fail = 500
    failed = poll(container, source)
    assert KEY not in f"{report}{failed}{container.settings!r}{stored(container, source)!r}{caplog.text}"
    assert KEY not in "".join(capsys.readouterr())
    assert not [query for query in server.queries if KEY in query]
    with container.store.engine.connect() as connection:
        for table in ("source", "activity", "fetch_log", "spend", "api_refusal", "raw_payload", "audit"):
            assert KEY not in repr(connection.execute(text(f"SELECT * FROM {table}")).all())


def test_a_channel_that_is_read_as_a_feed_is_converted_in_place(container: Container, server: YouTube) -> None:
    ids = [server.upload("First"), server.upload("Second", short=True)]
    feed = server.address + f"/feeds/videos.xml?channel_id={CHANNEL}"
    source = added(container, feed)
    assert source.kind == "rss"
    with container.store.writing() as tx:
        tx.polling.sources.change(source.id, policy="delay", delay=60)
    with container.store.engine.begin() as connection:  # as if it had been added at its real address
        connection.execute(text("UPDATE source SET address = :address"), {"address": FEED})
    before = {item.native_id: item for item in items(container)}
    assert set(before) == {f"yt:video:{id_}" for id_ in ids}
    converted = added(container)
    assert (converted.id, converted.slug, converted.kind) == (source.id, source.slug, "youtube")
    after = {item.native_id: item for item in items(container)}
    assert after.keys() == before.keys()
    for native_id, item in after.items():
        assert (item.id, item.position, item.content.edited) == (
            before[native_id].id,
            before[native_id].position,
            False,
        )
        assert (item.content.network, item.content.title) == ("youtube", before[native_id].content.title)
    server.delete(ids[0])
    later(container)
    poll(container, converted)
    assert titles(container) == ["Second"]
    with pytest.raises(BadRequestError, match="already exists"):
        added(container, "https://www.youtube.com/@ada")


_HOSTILE: list[Any] = [None, [], {}, "x", 7, b"<html>", b"", {"kind": "youtube#videoListResponse"}]


@pytest.mark.parametrize("answer", _HOSTILE, ids=range(len(_HOSTILE)))
def test_an_api_that_answers_something_else_removes_nothing(container: Container, server: YouTube, answer: Any) -> None:
    server.upload("First")
    server.upload("Second")
    source = added(container)
    server.answers = dict.fromkeys(("videos", "playlistItems", "channels"), answer)
    later(container)
    assert poll(container, source).error is None
    server.feeds_fail = 404
    poll(container, source)
    assert titles(container) == ["First", "Second"]


@pytest.mark.parametrize("answer", [b"", b"<html>", b'<!DOCTYPE x [<!ENTITY a "b">]><feed/>', b"<feed>", b"{}"])
def test_a_feed_that_is_none_removes_nothing(container: Container, server: YouTube, answer: bytes) -> None:
    server.upload("First")
    source = added(container)
    server.answers = {"videos.xml": answer}
    assert poll(container, source).error is not None
    assert titles(container) == ["First"]
