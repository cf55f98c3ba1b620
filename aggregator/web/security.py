"""Add security headers to every response, so that external content can't act in a reader's browser."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from aggregator.web.video_players import FRAMES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Everything is same-origin but players and films, which load on a click, and nothing is inline.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "frame-src": " ".join(FRAMES),  # players, loaded on a click
    "media-src": "https: http:",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'self'",
    "base-uri": "'none'",
}


def policy(changes: Mapping[str, str] = MappingProxyType({})) -> str:
    """Return the Content-Security-Policy with some directives changed."""
    return "; ".join(f"{name} {value}" for name, value in {**_POLICY, **changes}.items())


def with_frames(origins: Iterable[str]) -> str:
    """Return the policy for pages that may also frame other sites."""
    return policy({"frame-src": " ".join((*FRAMES, *origins))})


HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",  # for browsers without frame-ancestors
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), interest-cohort=()",
}


class SecurityHeaders:
    """Adds the headers; routes can override values. `frames` are the origins that pages may also frame."""

    def __init__(self, app: ASGIApp, frames: Sequence[str] = ()) -> None:
        self._app = app
        self._headers = {**HEADERS, "Content-Security-Policy": with_frames(frames)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and add the headers."""

        async def complete(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, complete if scope["type"] == "http" else send)
