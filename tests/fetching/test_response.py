"""Test validators and Retry-After."""

from datetime import timedelta

import pytest

from aggregator.domain.errors import (
    StatusError,
)
from aggregator.fetching.client import Http
from aggregator.fetching.response import Response, parse_retry_after, validators
from tests.fetching.server import NOW, Server, answer, failing, with_server


def test_validators_are_sent_back_byte_for_byte_and_304_has_no_body() -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers["/"] = answer(status="304 Not Modified", ETag='"new"')
        return await http.get(f"{server.base}/", etag='W/"a, b"', modified="some time")

    response, server = with_server(script)
    assert (response.status, response.body) == (304, b"")
    assert 'If-None-Match: W/"a, b"\r\n' in server.requests[0]
    assert "If-Modified-Since: some time\r\n" in server.requests[0]
    assert validators(response) == {"etag": '"new"'}


def test_a_304_that_nobody_asked_for_is_an_error() -> None:
    assert failing({"/": answer(status="304 Not Modified")}, StatusError).status == 304


def test_a_validator_that_is_no_utf8_is_not_kept() -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers["/"] = answer(ETag='"\udce9"')
        return await http.get(f"{server.base}/")

    assert validators(with_server(script)[0]) == {}


@pytest.mark.parametrize(
    ("value", "date", "expected"),
    [
        ("0", None, timedelta()),
        ("90", None, timedelta(seconds=90)),
        ("1000000000", None, timedelta(hours=24)),
        ("99999999999999999999999999", None, timedelta(hours=24)),
        ("-1", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("", None, None),
        (None, None, None),
        ("Sun, 01 Mar 2026 12:10:00 GMT", None, timedelta(minutes=10)),
        ("Sunday, 01-Mar-26 12:10:00 GMT", None, timedelta(minutes=10)),
        ("Sun Mar  1 12:10:00 2026", None, timedelta(minutes=10)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", None, timedelta()),
        ("Sun, 01 Mar 2026 11:00:00 GMT", "Sun, 01 Mar 2026 10:55:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 12:10:00 GMT", "nonsense", timedelta(minutes=10)),
        ("Sun, 01 Mar 2099 12:10:00 GMT", None, timedelta(hours=24)),
    ],
)
def test_retry_after_has_an_outcome_for_everything(
    value: str | None, date: str | None, expected: timedelta | None
) -> None:
    assert parse_retry_after(value, date, NOW) == (None if expected is None else NOW + expected)
