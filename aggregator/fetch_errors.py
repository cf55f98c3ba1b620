"""What went wrong while fetching, in words for people: the library's errors and the publishers' statuses. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from aggregator.errors import (
    FetchError,
    ForbiddenAddressError,
    GoneError,
    HeadersTooLargeError,
    SignInError,
    StatusError,
    TooLargeError,
    UnreachableError,
)
from aggregator.hosts import shown

if TYPE_CHECKING:
    from datetime import datetime

# The first that fits speaks: the library's classes overlap.
_TROUBLES: tuple[tuple[type[BaseException], type[FetchError], str], ...] = (
    (LineTooLong, HeadersTooLargeError, "sends a header that is longer than we take."),
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
    403: "The publisher does not let us in; ask them, or look at the address in a browser.",
    404: "Check the address.",
    401: "It wants a sign-in, or refuses the one we have; see 'aggregator source sign-in'.",
    407: "The proxy wants a sign-in; see AGGREGATOR_PROXY.",
    410: "It is gone for good; give the source a new address or remove it.",
    429: "We asked too often.",
}

_BY_STATUS: dict[int, type[FetchError]] = {401: SignInError, 407: SignInError, 410: GoneError}


def in_words(url: str, problem: BaseException) -> FetchError:
    """Say what the library's error means for people."""
    cause = _cause(problem)
    for kind, error, sentence in _TROUBLES:
        if isinstance(cause, kind):
            host = urlsplit(url).hostname
            return error(f"{shown(url)} {sentence.format(host=host, detail=_detail(cause))}")
    raise problem


def too_large(error: type[TooLargeError], url: str, does: str, most: int) -> TooLargeError:
    """Return the error for a body of more than `most` bytes."""
    return error(f"{shown(url)} {does} more than {most / 1024 / 1024:g} MB, which is all that we take.")


def refused_status(url: str, status: int, until: datetime | None) -> FetchError:
    """Say what a status that is no success means, and what to do about it."""
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    sentence = f"{shown(url)} answered {phrase}. {_ADVICE.get(status, '')}".rstrip()
    return _BY_STATUS.get(status, StatusError)(sentence, until=until, status=status)


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
