"""What went wrong while fetching, in words for people: the library's errors and the publishers' statuses. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from aggregator.errors import FetchError, ForbiddenAddressError, TooLargeError, UnreachableError
from aggregator.hosts import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

# The first that fits speaks: the library's classes overlap.
_TROUBLES: tuple[tuple[type[BaseException], type[FetchError], str], ...] = (
    (LineTooLong, TooLargeError, "sends a header that is longer than we take."),
    (HttpProcessingError, UnreachableError, "does not answer in proper HTTP."),
    (aiohttp.ClientConnectorDNSError, UnreachableError, "can't be reached: the name {host!r} was not found."),
    (aiohttp.ClientConnectorCertificateError, UnreachableError, "has a certificate that can't be trusted ({detail})."),
    (aiohttp.ClientSSLError, UnreachableError, "can't be reached: no secure connection could be made (TLS failed)."),
    (aiohttp.ClientResponseError, UnreachableError, "does not answer in proper HTTP."),
    (aiohttp.ServerDisconnectedError, UnreachableError, "closed the connection without an answer."),
    (aiohttp.ClientPayloadError, UnreachableError, "broke off in the middle of its answer."),
    (ConnectionRefusedError, UnreachableError, "can't be reached: the connection was refused."),
    (ConnectionResetError, UnreachableError, "can't be reached: the connection was reset."),
    (ValueError, ForbiddenAddressError, "is no address that we can fetch from."),
    (BaseException, UnreachableError, "can't be reached: {detail}."),
)
_ADVICE = {
    304: "We had sent nothing that it could refer to.",
    401: "It wants credentials, which we have not; ask the publisher for an open address.",
    403: "The publisher does not let us in; ask them, or look at the address in a browser.",
    404: "Check the address.",
    407: "A proxy in between wants credentials.",
    410: "It is gone for good; give the source a new address or remove it.",
    429: "We asked too often.",
}


def in_words(url: str, problem: BaseException) -> FetchError:
    """Say what the library's error means for people."""
    cause = _cause(problem)
    for kind, error, sentence in _TROUBLES:
        if isinstance(cause, kind):
            host = urlsplit(url).hostname
            return error(f"{shown(url)} {sentence.format(host=host, detail=_detail(cause))}")
    raise problem


def too_large(url: str, does: str, most: int) -> TooLargeError:
    """Return the error for a body of more than `most` bytes."""
    return TooLargeError(f"{shown(url)} {does} more than {most / 1024 / 1024:g} MB, which is all that we take.")


def status_sentence(url: str, status: int, headers: Mapping[str, str]) -> str:
    """Say what a status that is no success means, and what to do about it."""
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    if headers.get("cf-mitigated", "").lower() == "challenge":
        advice = "It wants a person to pass a robot check; ask the publisher to let feed readers in."
    else:
        advice = _ADVICE.get(status, "")
    return f"{shown(url)} answered {phrase}. {advice}".rstrip()


def _cause(problem: BaseException) -> BaseException:
    """Look through the library's wrapping, where what is inside says more."""
    inner = problem.__cause__
    if isinstance(inner, HttpProcessingError):
        # The parser's LineTooLong arrives under the name of its base class; only its sentence is left.
        return LineTooLong("") if inner.message.startswith("Got more than") else inner
    if type(problem) is aiohttp.ClientConnectorError:
        return problem.os_error
    return problem


def _detail(cause: BaseException) -> str:
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        cause = cause.certificate_error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "strerror", "") or type(cause).__name__)
