"""Define the response of the HTTP client, its statistics, and read the headers that caching needs. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from aggregator.domain.polling.backoff import LONGEST_RETRY

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class TransferStats:
    """Statistics of one `get`, updated as it proceeds, so that they are complete after a failure, too."""

    requests: int = 0
    wire_bytes: int = 0
    status: int | None = None  # of the last response


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response of status 2xx, or 304 where validators were sent."""

    status: int
    url: str  # final, after redirects
    permanent_url: str | None  # target of the leading run of permanent redirects
    headers: Mapping[str, str]  # case-insensitive names
    body: bytes  # decompressed; empty on 304
    wire_bytes: int
    requests: int  # hops
    started: datetime
    duration: timedelta
    private: bool  # the peer is in a private network that the settings allow


def validators(response: Response) -> dict[str, str]:
    """Return the validators for the next request, byte for byte: "etag" and "modified", where the response has them.

    A value that is not UTF-8 is omitted, since neither JSON nor the client could carry it unchanged.
    """
    given = {"etag": response.headers.get("ETag"), "modified": response.headers.get("Last-Modified")}
    return {name: value for name, value in given.items() if value and not re.search("[\ud800-\udfff\x00]", value)}


def parse_retry_after(value: str | None, date: str | None, now: datetime) -> datetime | None:
    """Parse a Retry-After header (RFC 9110, 10.2.3) and return the time it names.

    Args:
        value: seconds, counted from `now`, or an HTTP date.
        date: the Date header of the same response; a date in `value` is relative to it, since clocks differ.
        now: the present time.

    Returns:
        `now` for a date in the past, `LONGEST_RETRY` at most, None for an absent, negative or invalid value.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]+", value):
        wait = timedelta(seconds=int(value)) if len(value) < len("1000000000") else LONGEST_RETRY
    else:
        moment = _http_date(value)
        if moment is None:
            return None
        wait = moment - (_http_date(date or "") or now)
    return now + min(max(wait, timedelta()), LONGEST_RETRY)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def conditional_headers(etag: str | None, modified: str | None) -> dict[str, str]:
    """Return the request headers that send validators back."""
    both = {"If-None-Match": etag, "If-Modified-Since": modified}
    return {name: value for name, value in both.items() if value}
