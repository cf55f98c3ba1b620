"""Test the mapping of X's error responses to domain errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aggregator.domain.errors import (
    ApiChangedError,
    CapReachedError,
    CredentialsError,
    CreditsError,
    MissingAccountError,
    NotAllowedError,
    PausedError,
    ProtectedAccountError,
    SourceError,
    StatusError,
    SuspendedAccountError,
    UnreadableError,
)
from aggregator.sources.twitter.errors import (
    CursorError,
    from_errors,
    from_status,
    is_exhausted,
    refused_expansions,
    reset_time,
)

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "x-samples"


def body(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (400, body(title="Invalid Request", errors=[{"message": "The `x` is not one of [y]"}]), StatusError),
        (401, body(title="Unauthorized"), CredentialsError),
        (401, b"", CredentialsError),
        (401, b"<html>proxy</html>", StatusError),
        (402, body(title="Payment Required"), CreditsError),
        (403, body(title="Forbidden", detail="client-not-enrolled"), NotAllowedError),
        (403, b"<html>Just a moment...</html>", StatusError),
        (403, b"", StatusError),
        (403, body(title="No", type="https://api.x.com/2/problems/disallowed-resource"), ProtectedAccountError),
        (404, b"", StatusError),
        (429, b"<html>slow down</html>", PausedError),
        (429, b"[]", PausedError),
        (429, body(title="UsageCapExceeded"), CapReachedError),
        (429, body(type="https://api.x.com/2/problems/usage-capped"), CapReachedError),
        (500, b"oops", StatusError),
        (503, b"", StatusError),
    ],
)
def test_status(status: int, content: bytes, kind: type[SourceError]) -> None:
    error = from_status(status, {}, content, NOW)
    assert type(error) is kind
    assert error.status == status


def test_rate_limit_ends_when_x_says() -> None:
    headers = {"x-rate-limit-reset": str(int((NOW + timedelta(minutes=7)).timestamp()))}
    assert from_status(429, headers, b"", NOW).until == NOW + timedelta(minutes=7)


def test_rate_limit_without_an_end_leaves_that_to_whoever_counts_them() -> None:
    assert from_status(429, {}, b"", NOW).until is None


@pytest.mark.parametrize(
    "errors",
    [
        [{"parameters": {"tweet.fields": ["id"]}, "message": "The query parameter [tweet.fields] is not one of [id]"}],
        [{"message": "The query parameter [post.fields] is not one of [id,tweet.fields]"}],
        [{"parameters": {"expansions": ["a"]}, "message": "The `expansions` query parameter value [a] is no [b]"}],
    ],
)
def test_a_parameter_that_x_does_not_know_means_that_its_api_changed(errors: list[dict[str, object]]) -> None:
    error = from_status(400, {}, body(title="Invalid Request", errors=errors), NOW)
    assert isinstance(error, ApiChangedError)
    assert "AGGREGATOR_X_VOCABULARY" in str(error)


def test_the_refused_expansion_is_the_one_named_first() -> None:
    message = "The `expansions` query parameter value [referenced_tweets.id] is not one of [author_id,geo.place_id]"
    content = body(errors=[{"parameters": {"expansions": ["author_id,referenced_tweets.id"]}, "message": message}])
    assert refused_expansions(content, ["author_id", "referenced_tweets.id"]) == {"referenced_tweets.id"}
    assert refused_expansions(b"<html>", ["author_id"]) == set()


@pytest.mark.parametrize("text", ["", "soon", "-5", "99999999999999", "١٢٣"])
def test_reset_that_is_no_time_is_ignored(text: str) -> None:
    assert reset_time({"x-rate-limit-reset": text}, NOW) is None


def test_reset_is_kept_within_reason() -> None:
    assert reset_time({"x-rate-limit-reset": "0"}, NOW) == NOW + timedelta(seconds=5)
    assert reset_time({"x-rate-limit-reset": "9999999999"}, NOW) == NOW + timedelta(hours=25)


def test_the_longest_window_that_is_used_up_counts() -> None:
    soon, late, later = (str(int((NOW + timedelta(hours=hours)).timestamp())) for hours in (0.25, 9, 20))
    windows = {
        "x-rate-limit-reset": soon,
        "x-app-limit-24hour-reset": late,
        "x-user-limit-24hour-reset": later,
    }
    assert reset_time(windows, NOW) == NOW + timedelta(hours=0.25)
    app = {**windows, "x-app-limit-24hour-remaining": "0", "x-user-limit-24hour-remaining": "3"}
    assert reset_time(app, NOW) == NOW + timedelta(hours=9)
    assert reset_time({**app, "x-user-limit-24hour-remaining": "0"}, NOW) == NOW + timedelta(hours=20)
    assert is_exhausted(app)
    assert reset_time({"x-app-limit-24hour-remaining": "0", "x-rate-limit-reset": soon}, NOW) is None


def test_exhausted() -> None:
    assert is_exhausted({"x-rate-limit-remaining": "0"})
    assert not is_exhausted({"x-rate-limit-remaining": "10"})
    assert not is_exhausted({})


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (
            {"type": "https://api.x.com/2/problems/resource-not-found", "detail": "Could not find"},
            MissingAccountError,
            "no account",
        ),
        (
            {
                "type": "https://api.twitter.com/2/problems/resource-not-found",
                "detail": "User has been suspended: [a].",
            },
            SuspendedAccountError,
            "suspended",
        ),
        (
            {"type": "https://api.x.com/2/problems/not-authorized-for-resource", "detail": "no"},
            ProtectedAccountError,
            "protected",
        ),
        ({"type": "about:blank", "title": "Odd"}, UnreadableError, "Odd"),
    ],
)
def test_errors_in_a_success(error: dict[str, str], kind: type[SourceError], word: str) -> None:
    found = from_errors([error], "@desk_example")
    assert type(found) is kind
    assert word in str(found)
    assert "@desk_example" in str(found)


@pytest.mark.parametrize("errors", [None, [], "x", [1]])
def test_errors_of_any_shape_are_survived(errors: object) -> None:
    assert isinstance(from_errors(errors, "@a"), UnreadableError)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="X's sample payloads are not beside this checkout")
@pytest.mark.parametrize(
    ("name", "kind"), [("error-rate-limit-429", PausedError), ("error-usage-capped-429", CapReachedError)]
)
def test_samples_of_the_two_429(name: str, kind: type[SourceError]) -> None:
    sample = json.loads((SAMPLES / f"{name}.json").read_text("utf-8"))
    error = from_status(sample["status"], sample["headers"], json.dumps(sample["body"]).encode(), NOW)
    assert type(error) is kind


@pytest.mark.parametrize(
    ("message", "parameters", "cursors"),
    [
        ("'until_id' must be a tweet id created after [2026]", {"until_id": ["5"]}, {"until_id"}),
        ("Invalid 'since_id':'5'. Use a 'since_id' that is larger than 7", {}, {"since_id"}),
        ("`pagination_token` is not valid", {"pagination_token": ["x"]}, {"pagination_token"}),
        ("next_token is not valid", {"next_token": ["x"]}, {"pagination_token"}),
        ("no such", {"since_id": ["1"], "until_id": ["2"]}, {"since_id", "until_id"}),
    ],
    ids=["until", "since in words", "token", "token of a search", "two"],
)
def test_a_refused_position_is_named(message: str, parameters: dict[str, list[str]], cursors: set[str]) -> None:
    error = from_status(400, {}, body(errors=[{"message": message, "parameters": parameters}]), NOW)
    assert isinstance(error, CursorError)
    assert error.cursors == cursors


def test_an_unknown_parameter_is_no_refused_position() -> None:
    message = "The query parameter [foo] is not one of [id,since_id,until_id,pagination_token]"
    error = from_status(400, {}, body(errors=[{"message": message, "parameters": {"foo": ["1"]}}]), NOW)
    assert type(error) is StatusError
