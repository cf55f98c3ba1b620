"""Upload id lists to X's compliance jobs, and download and parse their results.

The upload and download URLs grant access by themselves, so no error and no log line contains them.
"""

from __future__ import annotations

import ipaddress
import json
import logging
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from aggregator.domain.compliance.takedowns import Fate, IdType, Takedown
from aggregator.domain.errors import (
    ForbiddenAddressError,
    SlowError,
    SourceError,
    StatusError,
    TooLargeError,
    UnreachableError,
    UnreadableError,
)
from aggregator.sources.twitter.normalise import NETWORK, moment_of
from aggregator.sources.twitter.transport import CONNECT, READ, BoundedAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TOTAL = 30.0  # seconds for a whole file, however steadily the bytes arrive
LARGEST = 100_000_000  # bytes of a file, about 500,000 result lines
LONGEST_LINE = 10_000  # bytes

_CHUNK = 65_536
# X's reasons. An unknown reason also counts as a takedown.
_FATES = {
    "deleted": (Fate.DELETED, "deleted on X"),
    "bounced": (Fate.DELETED, "taken back by X"),
    "protected": (Fate.PROTECTED, "its account on X is protected"),
    "suspended": (Fate.SUSPENDED, "its account on X is suspended"),
    "deactivated": (Fate.DEACTIVATED, "its account on X is deactivated"),
    "scrub_geo": (Fate.SCRUB_GEO, "its place was taken back on X"),
}
_OTHER = (Fate.DELETED, "gone on X")

# urllib3 logs whole URLs.
logging.getLogger("urllib3.connectionpool").addFilter(lambda record: record.levelno > logging.DEBUG)


def upload(url: str, ids: Sequence[str], *, on_loopback: bool) -> None:
    """Upload a list of ids, one per line.

    Args:
        url: the upload URL of the job.
        ids: numeric.
        on_loopback: whether the API is on this machine, so that the URL may be on it, too, without TLS.

    Raises:
        SourceError: the upload failed.
    """
    body = "".join(f"{id_}\n" for id_ in ids).encode("ascii")
    _sent("PUT", url, body, _LineStreamAdapter("the upload", None, on_loopback=on_loopback))


def download(url: str, type_: IdType, *, on_loopback: bool) -> list[Takedown]:
    """Download a job's result. Lines in an unknown format are skipped.

    Raises:
        SourceError: the download failed or was incomplete.
    """
    verdicts: list[Takedown] = []

    def on_line(line: bytes) -> None:
        verdict = verdict_in(line, type_)
        if verdict is not None:
            verdicts.append(verdict)

    _sent("GET", url, None, _LineStreamAdapter("the download", on_line, on_loopback=on_loopback))
    return verdicts


def verdict_in(line: bytes, type_: IdType) -> Takedown | None:
    """Return the takedown in a line of a result, or None for a line in an unknown format."""
    try:
        entry: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    native_id = str(entry.get("id")) if isinstance(entry, dict) else ""
    if not native_id.isascii() or not native_id.isdigit():
        return None
    fate, reason = _FATES.get(str(entry.get("reason", "")).casefold(), _OTHER)
    key = f"{NETWORK}:{native_id}" if type_ is IdType.POSTS else f"{NETWORK}:@{native_id}"
    return Takedown(key, fate, reason, moment_of(entry.get("redacted_at")))


class _LineStreamAdapter(BoundedAdapter):
    """Sends requests to their exact URL, and streams the response by lines."""

    def __init__(self, what: str, on_line: Callable[[bytes], None] | None, *, on_loopback: bool) -> None:
        super().__init__("", "", read=READ, total=TOTAL, largest=LARGEST)
        self._what = what
        self._on_line = on_line
        self._on_loopback = on_loopback

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401, ARG002
        """Send a request, pass each line to the callback, and return the response without its body."""
        self._check(str(request.url))
        with self._within(self._total):
            # Not the parent class's method, which replaces the host and buffers the whole body.
            response = HTTPAdapter.send(self, request, stream=True, timeout=(CONNECT, self._read))
            try:
                if not requests.codes.ok <= response.status_code < requests.codes.multiple_choices:
                    raise StatusError(
                        f"X's file store responded to {self._what} of a compliance job with status"
                        f" {response.status_code}; the next sweep creates another job.",
                        status=response.status_code,
                    )
                for line in self._split(response):
                    if self._on_line is not None:
                        self._on_line(line)
            finally:
                response.close()
        response.raw = BytesIO()  # already read
        return response

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and self._on_loopback and _is_loopback(parts.hostname)):
            return
        raise ForbiddenAddressError(
            f"X's URL for {self._what} of a compliance job is not https, so no request was sent."
        )

    def _split(self, response: requests.Response) -> Iterator[bytes]:
        size, rest = 0, b""
        try:
            for chunk in response.raw.stream(_CHUNK, decode_content=True):
                size += len(chunk)
                *lines, rest = (rest + chunk).split(b"\n")
                if size > self._largest or len(rest) > LONGEST_LINE:
                    raise TooLargeError(f"X sent more in {self._what} of a compliance job than the limit allows.")
                yield from lines
        except HTTPError as error:
            raise UnreachableError(f"X broke {self._what} of a compliance job off ({type(error).__name__}).") from None
        yield rest


def _sent(method: str, url: str, body: bytes | None, adapter: _LineStreamAdapter) -> None:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Accept-Encoding"] = "gzip, deflate"
        for scheme in ("https://", "http://"):
            session.mount(scheme, adapter)
        headers = {"Content-Type": "text/plain"} if body is not None else {}
        try:
            session.request(method, url, data=body, headers=headers, allow_redirects=False)
        except SourceError:
            raise
        except requests.Timeout:
            raise SlowError("X's file store did not respond in time; the next sweep tries again.") from None
        except requests.RequestException as error:  # its message contains the URL
            raise UnreachableError(
                f"X's file store can't be reached ({type(error).__name__}); the next sweep tries again."
            ) from None
        except ValueError:
            raise UnreadableError("X's URL for a compliance job is invalid.") from None


def _is_loopback(name: str | None) -> bool:
    try:
        return ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return name == "localhost"
