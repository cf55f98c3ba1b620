"""The reader's app: everything that the public sees, wired together."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from fastapi import FastAPI

from aggregator.reader.api import Api
from aggregator.reader.audience import PUBLIC
from aggregator.reader.openapi import document
from aggregator.reader.page import DocumentationPages, StreamPages
from aggregator.reader.refusals import PROBLEMS
from aggregator.web.app import framed
from aggregator.web.dates import Dates
from aggregator.web.pages import Pages
from aggregator.web.problems import Problems

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from aggregator.reader.audience import Audience
    from aggregator.settings import Network
    from aggregator.source import Clock
    from storage.store import Store


def create_app(
    store: Store,
    *,
    clock: Clock,
    public_url: str | None,
    timezone: ZoneInfo,
    locale: str,
    trusted_proxies: Sequence[Network],
    audience: Audience = PUBLIC,
) -> FastAPI:
    """Return the ASGI app; it touches the database only when asked something.

    Run it behind a server that does not itself believe forwarding headers (uvicorn: `proxy_headers=False`):
    which proxies are trusted is decided here, by `trusted_proxies`. `audience` says what machine-readable outputs give;
    our own pages display everything.
    """
    prefix = urlsplit(public_url).path if public_url else ""
    pages = Pages(["aggregator.reader"], dates=Dates.of(timezone, locale), public_url=public_url, prefix=prefix)
    problems = Problems(pages, PROBLEMS, api_prefix="/api/")
    app = FastAPI(openapi_url=None, redirect_slashes=False)
    framed(app, pages=pages, problems=problems, trusted_proxies=trusted_proxies, prefix=prefix)
    Api(store, clock, audience).add_to(app)
    StreamPages(store, clock, pages).add_to(app)
    DocumentationPages(document(app, public_url), pages, problems).add_to(app)
    return app
