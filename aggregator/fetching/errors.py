"""Translate errors of the HTTP library and HTTP statuses to errors for people. Pure."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from aggregator.domain.errors import (
    BrokenOffError,
    FetchError,
    ForbiddenAddressError,
    GoneError,
    HeadersTooLargeError,
    RobotCheckError,
    SignInError,
    StatusError,
    TooLargeError,
    UnreachableError,
)
from aggregator.fetching.challenge_pages import is_robot_check
from aggregator.fetching.request_target import display_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# The first match counts: the library's classes overlap.
_TROUBLES: tuple[tuple[type[BaseException], type[FetchError], str], ...] = (
    (LineTooLong, HeadersTooLargeError, "sends headers that are too long or too many."),
    (HttpProcessingError, UnreachableError, "sent an invalid HTTP response."),
    (aiohttp.ClientConnectorDNSError, UnreachableError, "can't be reached: the name {host!r} was not found."),
    (aiohttp.ClientConnectorCertificateError, UnreachableError, "has a certificate that can't be trusted ({detail})."),
    (aiohttp.ClientSSLError, UnreachableError, "can't be reached: no secure connection could be made (TLS failed)."),
    (aiohttp.ClientResponseError, UnreachableError, "sent an invalid HTTP response."),
    (aiohttp.ServerDisconnectedError, BrokenOffError, "closed the connection without a response."),
    (aiohttp.ClientPayloadError, BrokenOffError, "closed the connection in the middle of its response."),
    (ConnectionRefusedError, UnreachableError, "can't be reached: the connection was refused."),
    (ConnectionError, BrokenOffError, "can't be reached: the connection was reset."),
    (ValueError, ForbiddenAddressError, "is not a URL that can be fetched."),
    (BaseException, UnreachableError, "can't be reached: {detail}."),
)
_ADVICE = {
    304: "The request had no validators, so this response is invalid.",
    403: "The publisher denies access; ask them, or open the address in a browser.",
    404: "Check the address.",
    401: "It requires credentials, or rejects those that are set; see 'aggregator source credentials'.",
    407: "The proxy requires credentials; see AGGREGATOR_PROXY.",
    410: "It was removed permanently; set a new address or remove the source.",
    429: "Too many requests were sent.",
}

_TOO_SHORT = "Not enough data"
_TOO_LONG = ("Got more than", "Too many headers", "Too many trailers")
_BY_STATUS: dict[int, type[FetchError]] = {401: SignInError, 407: SignInError, 410: GoneError}


def in_words(url: str, problem: BaseException, proxy: str) -> FetchError:
    """Translate an error of the HTTP library; `proxy` is the one that was used, if any."""
    if isinstance(problem, aiohttp.ClientHttpProxyError):
        return refused_by_proxy(url, problem.status, proxy)
    if isinstance(problem, aiohttp.ClientProxyConnectionError):
        return proxy_not_found(url, proxy)
    if isinstance(problem, aiohttp.WSServerHandshakeError):
        return _no_web_socket(url, problem)
    cause = _cause(problem)
    for kind, error, sentence in _TROUBLES:
        if isinstance(cause, kind):
            host = urlsplit(url).hostname
            return error(f"{display_url(url)} {sentence.format(host=host, detail=_detail(cause))}")
    raise problem


def _no_web_socket(url: str, problem: aiohttp.WSServerHandshakeError) -> FetchError:
    try:
        check_status(url, problem.status, problem.headers or {}, b"", None, conditional=False)
    except FetchError as refusal:
        return refusal
    return UnreachableError(f"{display_url(url)} answered {problem.status} and opened no WebSocket.")


def proxy_not_found(url: str, proxy: str) -> UnreachableError:
    """Return the error for a proxy that can't be reached."""
    return UnreachableError(
        f"The proxy {display_url(proxy)} can't be reached, so {display_url(url)} can't be fetched. "
        "See AGGREGATOR_PROXY."
    )


def too_large(error: type[TooLargeError], url: str, does: str, most: int) -> TooLargeError:
    """Return the error for a body of more than `most` bytes."""
    return error(f"{display_url(url)} {does} more than {most / 1024 / 1024:g} MB, the maximum.")


def check_status(
    url: str, status: int, headers: Mapping[str, str], body: bytes, until: datetime | None, *, conditional: bool
) -> None:
    """Raise the error of a response that is not a success, with advice.

    Args:
        url: the requested URL.
        status: of the response.
        headers: of the response; case-insensitive names.
        body: of the response, or its beginning.
        until: when it may be requested again, by its Retry-After.
        conditional: whether the request had validators, so that 304 is valid.

    Raises:
        FetchError: not a success; the subclass names the reason.
    """
    if is_robot_check(headers, body):
        raise RobotCheckError(
            f"{display_url(url)} answered {status} with a bot challenge page, which takes the aggregator for "
            "a robot to be kept out. Ask the publisher to let feed readers in.",
            until=until,
            status=status,
        )
    success = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
    if success or (status == HTTPStatus.NOT_MODIFIED and conditional):
        return
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    sentence = f"{display_url(url)} answered {phrase}. {_ADVICE.get(status, '')}".rstrip()
    problem = _BY_STATUS.get(status, StatusError)(sentence, until=until, status=status)
    problem.body = body
    raise problem


def refused_by_proxy(url: str, status: int, proxy: str) -> FetchError:
    """Return the error for a proxy that refuses; never permanent, since one wrong setting would stop every source."""
    refused = f"The proxy {display_url(proxy)} answered {status} for {display_url(url)}."
    return UnreachableError(f"{refused} {_ADVICE.get(status, '')}".rstrip(), status=status)


def _cause(problem: BaseException) -> BaseException:
    """Return the error inside the library's wrapper, where it is more precise."""
    inner = problem.__cause__
    if isinstance(inner, HttpProcessingError):
        # The parser's LineTooLong arrives as its base class; only its message is left.
        if inner.message.startswith(_TOO_SHORT):
            return problem
        return LineTooLong("") if inner.message.startswith(_TOO_LONG) else inner
    if isinstance(inner, ConnectionError):
        return inner
    if type(problem) is aiohttp.ClientConnectorError:
        return problem.os_error
    return problem


def _detail(cause: BaseException) -> str:
    if isinstance(cause, aiohttp.ClientConnectorCertificateError):
        cause = cause.certificate_error
    return str(getattr(cause, "verify_message", "") or getattr(cause, "strerror", "") or type(cause).__name__)
