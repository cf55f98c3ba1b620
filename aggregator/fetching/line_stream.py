"""Read a response that never ends, line by line, over a connection that stays open."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp

from aggregator.domain.errors import SlowError, TooLargeError, UnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

_CONNECT = 5.0  # seconds
_LONGEST_LINE = 1_000_000  # bytes
_LARGEST_REFUSAL = 65_536  # bytes


class LineStream:
    """An open response; `status` and `headers` (names in lower case) are of its beginning."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = {name.lower(): value for name, value in response.headers.items()}

    async def refusal(self) -> bytes:
        """Return the body of a short response, such as an error, as far as it came in one piece."""
        return await self._response.content.read(_LARGEST_REFUSAL)

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield lines without their line feeds, until the server closes the connection.

        Raises:
            TooLargeError: a line exceeds the limit.
        """
        rest = b""
        async for chunk in self._response.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > _LONGEST_LINE:
                raise TooLargeError(f"A line of the stream has more than {_LONGEST_LINE} bytes.")


@asynccontextmanager
async def line_stream(url: str, headers: Mapping[str, str], *, silence: float) -> AsyncIterator[LineStream]:
    """Open a stream of lines, without following redirects.

    Args:
        url: an address that the operators configured: unlike the addresses of sources, it may be private.
        headers: of the request.
        silence: the longest time without a byte, in seconds.

    Raises:
        SlowError: nothing came for so long.
        UnreachableError: the connection failed.
    """
    limits = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=silence)
    try:
        async with (
            aiohttp.ClientSession(timeout=limits) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            yield LineStream(response)
    except TimeoutError:
        raise SlowError(f"The stream sent nothing for {silence:.0f} s.") from None
    except aiohttp.ClientError as error:
        raise UnreachableError(f"The stream was interrupted ({type(error).__name__}).") from None
