"""Test the X source over real HTTP: against the simulated X, and against an X that refuses or misleads."""

from __future__ import annotations

import json
import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.activity import ActivityKind
from aggregator.domain.errors import (
    AccountError,
    ApiChangedError,
    BadRequestError,
    CapReachedError,
    CredentialsError,
    CreditsError,
    ForbiddenAddressError,
    NotAllowedError,
    PausedError,
    RedirectError,
    SourceError,
    StatusError,
    UnreadableError,
)
from aggregator.domain.polling.results import Failure, FetchResult
from aggregator.source_api.kind import QueueClass
from aggregator.sources.twitter.plugin import KIND
from tests.sources.twitter.fake_x import (
    NOW,
    TOKEN,
    FakeX,
    Turns,
    context,
    discovered,
    failure,
    failure_without_facts,
    poll,
    polled,
    source,
)
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.source_api.kind import SourceKind

DESCRIPTION = Path(__file__).parents[3].parent / "shared" / "data" / "x-openapi-2.166.json"


@pytest.fixture
def x() -> Iterator[FakeX]:
    with FakeX() as fake:
        yield fake


@pytest.fixture(scope="module")
def upstream() -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream() as running:
        yield running


# Against the simulated X


def test_kind_is_a_source_kind() -> None:
    kind: SourceKind = KIND
    assert (kind.name, kind.queue) == ("twitter", QueueClass.API)


@pytest.mark.parametrize(
    "address", ["@opengovpart", "https://x.com/OpenGovPart", "http://twitter.com/opengovpart/?s=20"]
)
def test_handles_and_profiles_are_discovered(upstream: SimulatedUpstream, address: str) -> None:
    rate_limiter = Turns()
    found = discovered(address, context(upstream.url, token=SAMPLE_TOKEN, rate_limiter=rate_limiter))
    assert found is not None
    assert (found.kind, found.address, found.slug) == ("twitter", "@opengovpart", "opengovpart")
    assert found.host == upstream.url.removeprefix("http://") == rate_limiter.taken[0]
    assert (found.every, found.floor) == (None, timedelta(seconds=1))
    assert found.options == KIND.parse_options(found.options)
    assert len(rate_limiter.taken) == 1


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/opengovpart",
        "https://notx.com/opengovpart",
        "opengovpart",
        "@far_too_long_for_a_handle",
        "@",
        "",
    ],
)
def test_other_addresses_are_left_alone_without_a_request(x: FakeX, address: str) -> None:
    assert discovered(address, context(x.url)) is None
    assert x.requests == []


@pytest.mark.parametrize("address", ["https://x.com/", "https://x.com/home", "https://x.com/opengovpart/status/123"])
def test_pages_of_x_that_cannot_be_followed_are_refused_without_a_request(x: FakeX, address: str) -> None:
    with pytest.raises(BadRequestError):
        discovered(address, context(x.url))
    assert x.requests == []


def test_an_account_is_discovered_by_its_id(upstream: SimulatedUpstream) -> None:
    account = upstream.world.by_username["opengovpart"]
    found = discovered(f"https://x.com/i/user/{account.id}", context(upstream.url, token=SAMPLE_TOKEN))
    assert found is not None
    assert (found.address, found.options) == ("@opengovpart", {"user_id": account.id})


def test_portal_timeline_has_its_three_retweets_with_both_people(upstream: SimulatedUpstream) -> None:
    brought = poll(source(address="@opengovpart"), context(upstream.url, token=SAMPLE_TOKEN))
    reposts = [a for a in brought.activities if a.content.kind is ActivityKind.REPOST and a.object]
    people = [(a.content.actor, a.object.content.actor) for a in reposts[:3] if a.object]
    assert [(by.handle, of.handle) for by, of in people if by and of] == [
        ("opengovpart", "FelipeEstefan"),
        ("opengovpart", "josephpowell"),
        ("opengovpart", "OpenGovHub"),
    ]
    assert all(actor.partial for pair in people for actor in pair if actor)  # names and pictures are asked for together
    kinds = {activity.content.kind for activity in brought.activities}
    assert kinds == {ActivityKind.POST, ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY}
    published = [activity.content.published for activity in brought.activities]
    assert published == sorted(published, key=lambda moment: moment or NOW)
    assert brought.facts is not None
    assert (brought.facts.status, brought.facts.requests) == (200, 1)
    assert brought.facts.bytes > 1000


def test_second_poll_brings_only_what_is_new(upstream: SimulatedUpstream) -> None:
    ctx = context(upstream.url, token=SAMPLE_TOKEN)
    first = poll(source(), ctx)
    again = poll(source(fetch_state=first.state), ctx)
    assert again.unchanged
    assert again.state == first.state
    while not isinstance(posted := upstream.world.publish(), type(upstream.world.posts[0])):
        pass
    third = poll(source(fetch_state=first.state), ctx)
    assert [activity.native_id for activity in third.activities] == [str(posted.id)]


def test_wrong_token_is_said(upstream: SimulatedUpstream) -> None:
    error = failure(source(), context(upstream.url))
    assert isinstance(error, CredentialsError)
    assert "AGGREGATOR_X_BEARER_TOKEN" in str(error)


def test_unknown_account_fails_alone(upstream: SimulatedUpstream) -> None:
    outcomes = polled([source(1, user_id="404"), source(2)], context(upstream.url, token=SAMPLE_TOKEN))
    assert isinstance(outcomes[0].outcome, Failure)
    assert isinstance(outcomes[0].outcome.error, AccountError)
    assert isinstance(outcomes[1].outcome, FetchResult)


def test_real_rate_limit_stops_the_rest_of_the_batch() -> None:
    rate_limiter = Turns()
    with SimulatedUpstream(rate_limit=2) as limited:
        outcomes = polled(
            [source(n) for n in range(1, 5)], context(limited.url, token=SAMPLE_TOKEN, rate_limiter=rate_limiter)
        )
    assert [type(outcome.outcome) for outcome in outcomes] == [FetchResult, FetchResult, Failure, Failure]
    assert (
        len(rate_limiter.taken) == 2
    )  # the second response reported no remaining requests, so the third was never sent


# Credentials and addresses


def test_without_a_token_the_setting_is_named(x: FakeX) -> None:
    error = failure_without_facts(source(), context(x.url, token=""))
    assert isinstance(error, CredentialsError)
    assert "AGGREGATOR_X_BEARER_TOKEN_FILE" in str(error)
    with pytest.raises(CredentialsError, match="AGGREGATOR_X_BEARER_TOKEN"):
        discovered("@desk_example", context(x.url, token=""))
    assert x.requests == []


@pytest.mark.parametrize("base", ["http://api.x.com", "ftp://127.0.0.1", "http://127.0.0.1.example.org", "api.x.com"])
def test_token_never_travels_in_clear(base: str) -> None:
    assert isinstance(failure_without_facts(source(), context(base)), ForbiddenAddressError)


def test_base_address_may_have_a_path(x: FakeX) -> None:
    x.says(meta={"result_count": 0})
    assert poll(source(), context(f"{x.url}/mirror/")).unchanged
    path, headers = x.requests[0]
    assert path.startswith("/mirror/2/users/150000001/tweets?")
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert "referenced_tweets.id.attachments.media_keys" in path.replace("%2C", ",")


def test_netrc_does_not_replace_the_token(x: FakeX, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine api.twitter.com login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    x.says(meta={"result_count": 0})
    poll(source(), context(x.url))
    assert x.requests[0][1]["authorization"] == f"Bearer {TOKEN}"


def test_token_is_in_no_log_and_no_message(x: FakeX, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("tweepy").setLevel(logging.DEBUG)
    x.says(status=403, detail=f"The token {TOKEN} is not good", title="Forbidden")
    error = failure(source(), context(x.url))
    assert "[token]" in str(error)
    assert x.requests
    assert TOKEN not in caplog.text


# What X may answer


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (
            400,
            b'{"errors":[{"message":"The query parameter [tweet.fields] is not one of [post.fields]"}]}',
            ApiChangedError,
        ),
        (401, b"{}", CredentialsError),
        (402, b'{"title":"Payment Required"}', CreditsError),
        (403, b"<html>no</html>", StatusError),
        (403, b'{"title":"Client Forbidden"}', NotAllowedError),
        (404, b"[]", StatusError),
        (
            429,
            b'{"title":"UsageCapExceeded","type":"https://api.twitter.com/2/problems/usage-capped"}',
            CapReachedError,
        ),
        (500, b"", StatusError),
        (503, b"<html>over capacity</html>", StatusError),
        (200, b"<!doctype html><html>Log in</html>", UnreadableError),
        (200, b"", UnreadableError),
        (200, b"[]", UnreadableError),
        (200, b'"fine"', UnreadableError),
        (200, b'{"data": [', UnreadableError),
        (200, b'{"status": "ok"}', UnreadableError),
        (200, b'{"data": {"id": "1"}}', UnreadableError),
        (200, b'{"errors": [{"title": "Odd"}]}', UnreadableError),
        (302, b"", RedirectError),
        (304, b"", StatusError),
    ],
)
def test_answers_that_are_no_timeline(x: FakeX, status: int, body: bytes, kind: type[SourceError]) -> None:
    x.status, x.body = status, body
    x.headers = {"Location": "https://example.org/"} if status == 302 else {}
    assert type(failure(source(), context(x.url))) is kind
    assert len(x.requests) == 1


def test_request_refused_by_x_names_the_parameter(x: FakeX) -> None:
    x.says(status=400, errors=[{"message": "The query parameter [tweet.fields] is not known"}])
    assert "tweet.fields" in str(failure(source(), context(x.url)))


@pytest.mark.parametrize("body", [b"{}", b'{"meta":{"result_count":0}}', b'{"data":[],"meta":{"result_count":0}}'])
def test_empty_timeline_is_no_failure(x: FakeX, body: bytes) -> None:
    x.body = body
    state = {"since_id": "77"}
    brought = poll(source(fetch_state=state), context(x.url))
    assert brought.unchanged
    assert brought.state == state


def test_rate_limit_pauses_the_host_until_its_reset(x: FakeX) -> None:
    until = NOW + timedelta(minutes=7)
    x.says(status=429, headers={"x-rate-limit-reset": str(int(until.timestamp()))}, title="Too Many Requests")
    rate_limiter = Turns()
    outcomes = polled([source(1), source(2)], context(x.url, rate_limiter=rate_limiter))
    errors = [outcome.outcome.error for outcome in outcomes if isinstance(outcome.outcome, Failure)]
    assert [(type(error), error.until) for error in errors] == [(PausedError, until)] * 2
    assert list(rate_limiter.paused.values()) == [until]
    assert len(x.requests) == 1


def test_rate_limit_with_a_reset_that_is_no_number(x: FakeX) -> None:
    x.says(status=429, headers={"x-rate-limit-reset": "soon"})
    assert failure(source(), context(x.url)).until == NOW + timedelta(minutes=15)


def test_suspended_and_protected_accounts_are_told_apart(x: FakeX) -> None:
    x.says(errors=[{"detail": "User has been suspended: [desk_example].", "title": "Forbidden"}])
    with pytest.raises(AccountError, match="suspended"):
        discovered("@desk_example", context(x.url))
    x.says(data={"id": "7001", "username": "desk_example", "name": "Desk", "protected": True})
    with pytest.raises(AccountError, match="protected"):
        discovered("@desk_example", context(x.url))


def test_newer_vocabulary_is_read_over_the_wire(x: FakeX) -> None:
    x.says(
        data=[
            {
                "id": "9",
                "text": "RT @b: cut…",
                "author_id": "150000001",
                "referenced_posts": [{"type": "retweeted", "id": "8"}],
            }
        ],
        includes={"posts": [{"id": "8", "text": "short", "note_post": {"text": "the whole"}, "author_id": "2"}]},
        meta={"result_count": 1},
    )
    (activity,) = poll(source(), context(x.url)).activities
    assert activity.object is not None
    assert activity.object.content.text == "the whole"


# The rest of the contract


@pytest.mark.skipif(not DESCRIPTION.is_file(), reason="X's API description is not beside this checkout")
def test_request_is_allowed_by_xs_own_description(x: FakeX) -> None:
    x.says(meta={"result_count": 0})
    poll(source(fetch_state={"since_id": "5", "until_id": "9", "high_id": "12"}), context(x.url))
    described = json.loads(DESCRIPTION.read_text("utf-8"))
    shared = described["components"]["parameters"]
    operation = described["paths"]["/2/users/{id}/tweets"]["get"]
    parameters = [shared[p["$ref"].rpartition("/")[2]] if "$ref" in p else p for p in operation["parameters"]]
    schemas = {parameter["name"]: parameter["schema"] for parameter in parameters}
    query = parse_qs(urlsplit(x.requests[0][0]).query)
    assert {"since_id", "until_id", "max_results", "tweet.fields", "expansions"} <= set(query) <= set(schemas)
    for name in ("tweet.fields", "expansions", "media.fields"):
        assert set(query[name][0].split(",")) <= set(schemas[name]["items"]["enum"])


def test_sources_not_begun_by_the_deadline_are_left(x: FakeX) -> None:
    x.says(meta={"result_count": 0})
    assert polled([source(1), source(2)], context(x.url, deadline=time.monotonic() - 1)) == []
    assert x.requests == []


@pytest.mark.parametrize("options", [{}, {"user_id": 5}, {"user_id": "abc"}, {"user_id": "1", "colour": "red"}])
def test_options_that_can_not_be_used(options: dict[str, object]) -> None:
    with pytest.raises(BadRequestError):
        KIND.parse_options(options)


def test_source_with_broken_options_fails_alone(x: FakeX) -> None:
    x.says(meta={"result_count": 0})
    outcomes = polled([source(1, options={}), source(2)], context(x.url))
    assert isinstance(outcomes[0].outcome, Failure)
    assert isinstance(outcomes[1].outcome, FetchResult)
