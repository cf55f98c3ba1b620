"""Test rules 23 to 35, about requests, redirects, errors and limits, against a scripted publisher."""

from __future__ import annotations

import gzip
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from aggregator.config.credential_encryption import HeaderCipher, basic
from aggregator.domain.errors import RedirectError
from aggregator.domain.secrets import Secret
from aggregator.domain.source import SourceState
from aggregator.fetching.request_target import RedirectChain
from aggregator.services.subscribe import Subscription
from tests.building import due_of
from tests.etiquette.publisher import HTML, START, Publisher, Says, feed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.etiquette.publisher import Polling, Time

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ETAG = {"ETag": '"1"'}


def _to(url: str, status: int = 301) -> Says:
    return Says(status=status, headers={"Location": url})


def test_rule_23_we_say_who_we_are_and_never_pretend(polling: Polling, publisher: Publisher) -> None:
    polling.follow(publisher.says("/f", Says(HTML, status=403), Says(feed(1))))
    polling.poll()
    assert len(publisher.requests) == 1  # no second try under another name
    polling.poll()
    agents = {headers["user-agent"] for _, headers in publisher.requests}
    assert len(agents) == 1
    [agent] = agents
    assert agent.startswith("ActivityStreamAggregator/")
    assert agent.endswith(" (+https://ops.example/contact)")


def test_rule_24_nothing_is_sent_that_need_not_be(polling: Polling, publisher: Publisher) -> None:
    cookie = {"Set-Cookie": "track=1", **ETAG}
    polling.follow(publisher.says("/f?a=1&b", Says(feed(1), headers=cookie), Says(status=304)))
    polling.poll()
    polling.poll()
    assert publisher.paths == ["/f?a=1&b"] * 2
    for _, headers in publisher.requests:
        assert set(headers) <= {"host", "user-agent", "accept", "accept-encoding", "if-none-match", "a-im"}
        assert headers["accept"].startswith("application/rss+xml, application/atom+xml")
        assert headers["accept"].endswith("*/*;q=0.1")
        assert headers["accept-encoding"] == "gzip, deflate, br, zstd"


def test_rule_24_a_sign_in_stays_with_its_origin(polling: Polling, publisher: Publisher) -> None:
    with Publisher() as other:
        other.says("/there", _to(publisher.url + "/back", 302))
        publisher.says("/back", Says(feed(1)))
        polling.follow(publisher.says("/f", _to(other.url + "/there", 302)))
        seal = polling.container.seal.close(polling.source().own_host, {**basic("ann", "s3cret"), "X-Key": "k"})
        with polling.container.store.writing() as tx:
            tx.polling.sources.change(polling.source().id, sealed=seal)
        assert polling.poll().new == 1
        assert "s3cret" not in seal
        home = [headers for _, headers in publisher.requests]
        assert all(headers["authorization"].startswith("Basic ") and headers["x-key"] == "k" for headers in home)
        assert not {"authorization", "x-key"} & set(other.last)


def test_rule_24_a_sign_in_kept_under_another_key_is_asked_for_again(polling: Polling, publisher: Publisher) -> None:
    polling.follow(publisher.says("/f", Says(feed(1))))
    stranger = HeaderCipher(Secret("another installation's key, long enough"))
    with polling.container.store.writing() as tx:
        tx.polling.sources.change(polling.source().id, sealed=stranger.close(polling.source().own_host, {"X-Key": "k"}))
    polling.poll()
    assert polling.source().state is SourceState.STOPPED
    assert publisher.requests == []


def test_rule_25_adding_a_feed_is_one_request(polling: Polling, publisher: Publisher) -> None:
    _, first = polling.container.subscribe(publisher.says("/f", Says(feed(1, 2))), Subscription())
    assert first is not None
    assert (publisher.paths, first.new) == (["/f"], 2)


def test_rule_26_five_hops_and_no_loop(polling: Polling, publisher: Publisher) -> None:
    for number in range(7):
        publisher.says(f"/{number}", _to(f"{publisher.url}/{number + 1}", 302))
    publisher.says("/7", Says(feed(1)))
    polling.follow(publisher.url + "/1", slug="six")
    polling.follow(publisher.url + "/2", slug="five")
    polling.follow(publisher.says("/loop", _to("/loop2"), _to("/loop2")), slug="loop")
    publisher.says("/loop2", _to("/loop"))
    assert "redirects more than 5 times" in str(polling.poll("six").error)
    assert polling.poll("five").new == 1
    assert "redirects in a loop" in str(polling.poll("loop").error)


@pytest.mark.parametrize(
    "target",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/latest",
        "http://[::ffff:10.0.0.1]/",
        "file:///etc/passwd",
        "gopher://x/",
    ],
)
def test_rule_26_every_hop_s_address_is_checked(polling: Polling, publisher: Publisher, target: str) -> None:
    polling.follow(publisher.says("/f", _to(target)))
    polling.poll()
    assert polling.source().poll.last_error_code in {"forbidden-address", "bad-redirect"}


def test_rule_26_from_https_to_http_only_where_it_is_allowed() -> None:
    with pytest.raises(RedirectError, match="from https to http"):
        RedirectChain("https://a.example/f", 5).follow(301, "http://a.example/f")
    allowed = RedirectChain("https://a.example/f", 5, downgrade=True)
    allowed.follow(301, "http://a.example/f")
    assert allowed.url == "http://a.example/f"


def test_rule_27_a_move_for_good_is_followed_after_three_days_and_can_be_taken_back(
    polling: Polling, publisher: Publisher, time: Time
) -> None:
    old = publisher.says("/old", Says(feed(1, 2)), _to("/new"))
    new = publisher.says("/new", Says(feed(1, 2, 3)))
    polling.follow(old)
    polling.poll()
    for hours in (0, 12, 24):  # within two days: the second sighting is at 24 h
        time.now = START + hours * HOUR
        polling.poll()
        assert polling.source().address == old
    time.now = START + 48 * HOUR
    polling.poll()
    source = polling.source()
    assert source.address == new
    assert polling.note() == f"Moved to {new}; 'aggregator source revert feed' reverts that."
    with polling.container.store.reading() as tx:
        [former] = tx.polling.sources.former_addresses(source.id)
        [note] = tx.moderation.audit.of("source:feed")
    assert (former.place.address, note["what"], note["who"]) == (old, "source moved", "system")
    publisher.says("/new", Says(feed(1, 2, 3, 4)))
    assert polling.poll().new == 1
    assert publisher.paths[-1] == "/new"
    assert len(polling.items()) == 4


@pytest.mark.parametrize("answer", [Says(feed(91, 92)), Says(HTML)])
def test_rule_27_without_a_feed_that_we_know_nothing_moves(
    polling: Polling, publisher: Publisher, time: Time, answer: Says
) -> None:
    polling.follow(publisher.says("/old", Says(feed(1, 2)), _to("/new")))
    polling.poll()
    for day in range(2, 5):
        publisher.says("/new", Says(answer.body.replace(b"9", str(day).encode() * 3), headers=answer.headers))
        time.now = START + day * DAY
        polling.poll()
        assert polling.source().address.endswith("/old")


def test_rule_28_what_is_temporary_is_never_kept(polling: Polling, publisher: Publisher, time: Time) -> None:
    publisher.says("/end", Says(feed(1), headers=ETAG, validates=True))
    publisher.says("/mid", _to("/end", 302))
    firsts = {"temporary": _to("/end", 302), "other": _to("/end", 307), "mixed": _to("/mid", 301)}
    for slug, first in firsts.items():
        polling.follow(publisher.says(f"/{slug}", first), slug=slug)
    for _ in range(5):
        for slug in firsts:
            polling.poll(slug)
        time.passes(days=1)
    ends = {slug: polling.source(slug).address.rpartition("/")[2] for slug in ("temporary", "other", "mixed")}
    assert ends == {"temporary": "temporary", "other": "other", "mixed": "mid"}  # the permanent part at most


def test_rule_29_a_page_instead_of_a_feed_is_a_soft_failure(polling: Polling, publisher: Publisher, time: Time) -> None:
    polling.follow(publisher.says("/f", Says(feed(1), headers=ETAG), _to("/sorry", 302), Says(status=304)))
    publisher.says("/sorry", Says(HTML, headers={"Content-Type": "text/html"}))
    polling.poll()
    state = polling.source().poll.fetch_state
    time.passes(hours=1)
    assert 'HTML page titled "We will be back"' in str(polling.poll().error)
    source = polling.source()
    assert (source.state, source.poll.fetch_state, source.poll.failure_weight) == (SourceState.ACTIVE, state, 0.5)
    assert len(polling.items()) == 1
    assert polling.poll().outcome == "unchanged"


def test_rule_30_gone_stops_and_tells_and_keeps_the_items(polling: Polling, publisher: Publisher, time: Time) -> None:
    polling.follow(publisher.says("/f", Says(feed(1)), Says(status=410)))
    polling.poll()
    time.passes(hours=2)
    polling.tick()
    source = polling.source()
    assert (source.state, source.poll.last_error_code) == (SourceState.STOPPED, "gone")
    assert "410 Gone" in source.state_reason
    assert len(polling.items()) == 1
    time.passes(days=400)
    assert polling.tick() == 0
    assert len(publisher.requests) == 2


@pytest.mark.parametrize("status", [pytest.param(status, marks=pytest.mark.slow) for status in (403, 404, 500)] + [503])
def test_rule_31_failures_wait_longer_but_a_week_at_the_most(
    polling: Polling, publisher: Publisher, time: Time, status: int
) -> None:
    polling.follow(publisher.says("/f", Says(status=status)))
    waits = []
    for _ in range(60):
        polling.tick()
        waits.append(due_of(polling.source()) - time())
        time.now = due_of(polling.source())
    assert len(publisher.requests) == 60  # for ever
    assert waits == sorted(waits)
    assert waits[0] < waits[-1] <= 7 * DAY
    publisher.says("/f", Says(feed(1)))
    polling.tick()
    source = polling.source()
    assert (source.poll.failures, source.poll.failure_weight) == (0, 0)
    assert due_of(source) - time() <= 1.2 * HOUR


@pytest.mark.parametrize("status", [401, 407])
def test_rule_32_who_wants_a_sign_in_is_not_hammered(
    polling: Polling, publisher: Publisher, time: Time, status: int
) -> None:
    polling.follow(publisher.says("/f", Says(status=status)))
    for _ in range(9):
        polling.tick()
        time.passes(days=1)
    source = polling.source()
    assert (len(publisher.requests), source.state, source.poll.last_error_code) == (1, SourceState.STOPPED, "sign-in")


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (403, HTML, {"cf-mitigated": "challenge"}),
        (403, b"<html><title>Just a moment...</title>", {}),
        (200, b"<html><title>Just a moment...</title>", {}),
        (503, b"<html><head><title>DDoS-Guard</title>", {}),
        (429, b"<html><script src='https://js.hcaptcha.com/1/api.js'></script>", {}),
    ],
)
def test_rule_33_a_robot_check_is_named(
    polling: Polling, publisher: Publisher, status: int, body: bytes, headers: Mapping[str, str]
) -> None:
    polling.follow(publisher.says("/f", Says(body, status=status, headers={"Content-Type": "text/html", **headers})))
    assert "bot challenge page" in str(polling.poll().error)
    assert polling.source().poll.last_error_code == "robot-check"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Says(b" " * (9 * 1024 * 1024)), "too-large-wire"),
        (Says(gzip.compress(b" " * (17 * 1024 * 1024)), headers={"Content-Encoding": "gzip"}), "too-large-unpacked"),
        (Says(b"x", headers={"X-Long": "y" * 20_000}), "too-large-headers"),
        (Says(b"<rss><channel>" + b"<item>" * 300 + b"</item>" * 300 + b"</channel></rss>"), "too-complex"),
    ],
    ids=["wire", "unpacked", "headers", "depth"],
)
def test_rule_34_every_bound_has_its_own_name(polling: Polling, publisher: Publisher, answer: Says, code: str) -> None:
    polling.follow(publisher.says("/f", answer))
    polling.poll()
    assert polling.source().poll.last_error_code == code


def test_rule_34_of_a_very_long_feed_the_newest_500_are_read(polling: Polling, publisher: Publisher) -> None:
    polling.follow(publisher.says("/f", Says(feed(*range(600)))))
    assert polling.poll().new == 500
    assert polling.note() == "The feed has 600 entries; the newest 500 were read."


_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]><rss version='2.0'><channel><title>T</title><item><guid>1</guid><title>&j;</title></item></channel></rss>"
)
_OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    "<rss version='2.0'><channel><title>T</title><item><guid>1</guid><title>&x; there</title></item></channel></rss>"
)


@pytest.mark.parametrize("document", [_BOMB, _OUTSIDE], ids=["bomb", "external"])
def test_rule_35_entities_are_inert(polling: Polling, publisher: Publisher, document: str) -> None:
    polling.follow(publisher.says("/f", Says(document.encode())))
    polling.poll()
    for item in polling.items():
        assert "root:" not in (item.content.title or "")
        assert len(item.content.title or "") < 1000


_TEXT = "<rss version='2.0'><channel><title>T</title><item><guid>1</guid><title>Café “x”</title></item></channel></rss>"


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xef\xbb\xbf" + _TEXT.encode(), "text/xml; charset=iso-8859-1"),
        (_TEXT.encode("utf-16"), "text/xml"),
        (_TEXT.encode("utf-16-le"), "application/rss+xml"),
        (b"<?xml version='1.0' encoding='iso-8859-1'?>" + _TEXT.encode(), "text/xml; charset=utf-8"),
        (_TEXT.encode("cp1252"), "application/rss+xml; charset=utf-8"),
        (b"<?xml version='1.0' encoding='utf-8'?>" + _TEXT.encode("cp1252"), "application/rss+xml"),
    ],
    ids=["mark", "utf-16", "undeclared utf-16", "header against prolog", "mislabelled", "mislabelled by prolog"],
)
def test_rule_35_encodings_are_told_apart(
    polling: Polling, publisher: Publisher, body: bytes, content_type: str
) -> None:
    polling.follow(publisher.says("/f", Says(body, headers={"Content-Type": content_type})))
    polling.poll()
    assert [item.content.title for item in polling.items()] == ["Café “x”"]
