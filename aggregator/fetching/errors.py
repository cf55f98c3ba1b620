"""What went wrong while fetching, in words for people: the library's errors and the publishers' statuses. Pure."""

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

# The first that fits speaks: the library's classes overlap.
_TROUBLES: tuple[tuple[type[BaseException], type[FetchError], str], ...] = (
    (LineTooLong, HeadersTooLargeError, "sends longer headers, or more of them, than we take."),
    (HttpProcessingError, UnreachableError, "does not answer in proper HTTP."),
    (aiohttp.ClientConnectorDNSError, UnreachableError, "can't be reached: the name {host!r} was not found."),
    (aiohttp.ClientConnectorCertificateError, UnreachableError, "has a certificate that can't be trusted ({detail})."),
    (aiohttp.ClientSSLError, UnreachableError, "can't be reached: no secure connection could be made (TLS failed)."),
    (aiohttp.ClientResponseError, UnreachableError, "does not answer in proper HTTP."),
    (aiohttp.ServerDisconnectedError, BrokenOffError, "closed the connection without an answer."),
    (aiohttp.ClientPayloadError, BrokenOffError, "broke off in the middle of its answer."),
    (ConnectionRefusedError, UnreachableError, "can't be reached: the connection was refused."),
    (ConnectionError, BrokenOffError, "can't be reached: the connection was reset."),
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

_TOO_SHORT = "Not enough data"
_TOO_LONG = ("Got more than", "Too many headers", "Too many trailers")
_BY_STATUS: dict[int, type[FetchError]] = {401: SignInError, 407: SignInError, 410: GoneError}


def in_words(url: str, problem: BaseException, proxy: str) -> FetchError:
    """Say what the library's error means for people; `proxy` is the one that was asked, if any."""
    if isinstance(problem, aiohttp.ClientHttpProxyError):
        return refused_by_proxy(url, problem.status, proxy)
    if isinstance(problem, aiohttp.ClientProxyConnectionError):
        return proxy_not_found(url, proxy)
    cause = _cause(problem)
    for kind, error, sentence in _TROUBLES:
        if isinstance(cause, kind):
            host = urlsplit(url).hostname
            return error(f"{display_url(url)} {sentence.format(host=host, detail=_detail(cause))}")
    raise problem


def proxy_not_found(url: str, proxy: str) -> UnreachableError:
    """Return the error for a proxy that can't be reached."""
    return UnreachableError(
        f"The proxy {display_url(proxy)} can't be reached, so {display_url(url)} can't be fetched. "
        "See AGGREGATOR_PROXY."
    )


def too_large(error: type[TooLargeError], url: str, does: str, most: int) -> TooLargeError:
    """Return the error for a body of more than `most` bytes."""
    return error(f"{display_url(url)} {does} more than {most / 1024 / 1024:g} MB, which is all that we take.")


def check_status(
    url: str, status: int, headers: Mapping[str, str], body: bytes, until: datetime | None, *, conditional: bool
) -> None:
    """Raise what an answer means that is no success, and what to do about it.

    Args:
        url: what was asked for.
        status: of the answer.
        headers: of the answer; names in any case.
        body: of the answer, or its beginning.
        until: when it may be asked for again, where the other side said so.
        conditional: whether the request carried validators, so that 304 is an answer to it.

    Raises:
        FetchError: it is no success; the subclass says why.
    """
    if is_robot_check(headers, body):
        raise RobotCheckError(
            f"{display_url(url)} answered {status} with a page that wants a person to pass a robot check. Ask the "
            "publisher to let feed readers in.",
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
    raise _BY_STATUS.get(status, StatusError)(sentence, until=until, status=status)


def refused_by_proxy(url: str, status: int, proxy: str) -> FetchError:
    """Say that a proxy made no connection; never for good, since that would stop every source for one wrong setting."""
    refused = f"The proxy {display_url(proxy)} answered {status} when asked for {display_url(url)}."
    return UnreachableError(f"{refused} {_ADVICE.get(status, '')}".rstrip(), status=status)


def _cause(problem: BaseException) -> BaseException:
    """Look through the library's wrapping, where what is inside says more."""
    inner = problem.__cause__
    if isinstance(inner, HttpProcessingError):
        # The parser's LineTooLong arrives under the name of its base class; only its sentence is left.
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
