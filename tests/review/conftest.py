"""Run the whole desk with the reader, over real HTTP, with users who are signed in."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.cookiejar import CookieJar
from typing import TYPE_CHECKING, Any, cast
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener
from zoneinfo import ZoneInfo

import pytest
import uvicorn
from argon2 import PasswordHasher

from aggregator.config import passwords
from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import ActivityKind, Actor, Content, Media, Occasion
from aggregator.domain.errors import BadRequestError, NotFoundError, UnconfirmedCostError, UnreachableError
from aggregator.domain.secrets import Secret
from aggregator.domain.source import Place
from aggregator.domain.source_preview import PreviewedEntry, SourcePreview, entry_notes
from aggregator.review.app import create_desk
from aggregator.review.entrance import SignInOptions
from aggregator.review.routes import sections
from aggregator.services.editorial import publish
from aggregator.services.subscription_lists.importer import Target, import_document
from aggregator.source_api.kind import PollContext
from aggregator.sources import forms
from aggregator.web.app import Mounted
from tests.building import NOON
from tests.reader.conftest import app_of, compiled_templates  # noqa: F401  # a fixture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fastapi import FastAPI

    from aggregator.domain.access.credentials import ConnectableService, Credential, TokenFacts
    from aggregator.domain.polling.host_limits import RateLimiter
    from aggregator.domain.source import Policy, Source
    from aggregator.domain.source_import import ImportReport, UploadedDocument
    from aggregator.fetching.client import Http
    from aggregator.review.connections import Connection
    from aggregator.review.source_import import ImportDocument
    from storage.store import Store

SECRET = Secret("a secret of the tests, which is long enough")
PASSWORD = "an umbrella in March"


class Stopped:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


class _Staying(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    text: str

    @property
    def message(self) -> str:
        """The message that the page shows once."""
        match = re.search(r'<p class="message[^>]*>([^<]*)</p>', self.text)
        return match[1] if match else ""


@dataclass
class Visitor:
    """A user with a browser that keeps cookies and doesn't follow redirects."""

    address: str
    jar: CookieJar = field(default_factory=CookieJar)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self._ask(Request(self.address + path, headers=dict(headers or {"Accept": "text/html"})))

    def post(
        self,
        path: str,
        fields: Mapping[str, str | Sequence[str]] | None = None,
        *,
        csrf: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a form with the token of this session's forms, or with another one."""
        sent = {"csrf": self.csrf() if csrf is None else csrf, **(fields or {})}
        body = urlencode(sent, doseq=True).encode()
        return self._ask(Request(self.address + path, body, headers={"Accept": "text/html", **(headers or {})}))

    def get_bytes(self, path: str) -> bytes:
        """Return the body of a response that isn't text."""
        with build_opener(HTTPCookieProcessor(self.jar)).open(self.address + path, timeout=60) as answer:
            body: bytes = answer.read()
        return body

    def upload(
        self, path: str, fields: Mapping[str, str], file: bytes, name: str = "feeds.opml", field: str = "file"
    ) -> Answer:
        """Send a form with a file."""
        mark = "----a-boundary-of-the-tests"
        parts = [
            f'--{mark}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in {"csrf": self.csrf(), **fields}.items()
        ]
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
        body = b"".join([*parts, head, file, f"\r\n--{mark}--\r\n".encode()])
        headers = {"Accept": "text/html", "Content-Type": f"multipart/form-data; boundary={mark}"}
        return self._ask(Request(self.address + path, body, headers=headers))

    def follow(self, answer: Answer) -> Answer:
        assert answer.status == 303, answer.text
        return self.get(answer.headers["location"])

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get("/review/account").text)
        return found[1] if found else ""

    def open_csrf(self, path: str) -> str:
        """Return the token of the forms of a page that needs no session."""
        found = re.search(r'name="csrf" value="([0-9a-f]+)"', self.get(path).text)
        return found[1] if found else ""

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> Answer:
        token = self.open_csrf("/review/sign-in")
        return self.post("/review/sign-in", {"name": name, "password": password, **fields}, csrf=token)

    def _ask(self, request: Request) -> Answer:
        opener = build_opener(_Staying, HTTPCookieProcessor(self.jar))
        try:
            with opener.open(request, timeout=60) as answer:
                return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode())
        except HTTPError as answer:
            with answer:
                return Answer(answer.code, {k.lower(): v for k, v in answer.headers.items()}, answer.read().decode())


@dataclass
class Installation:
    """A reader with its desk, over a store, at a time that tests set."""

    store: Store
    clock: Stopped
    desk: FastAPI
    address: str

    def somebody(self) -> Visitor:
        return Visitor(self.address)

    def visitor(self, name: str = "ana", role: Role = Role.REVIEWER) -> Visitor:
        """Create an account and sign it in."""
        with self.store.writing() as tx:
            tx.access.accounts.add(name, role, passwords.hashed(PASSWORD), self.clock())
        visitor = self.somebody()
        assert visitor.sign_in(name).status == 303
        return visitor


def _no_address(
    address: str, _policy: Policy, _delay: timedelta | None, options: Mapping[str, Any], confirmed: bool
) -> Source:
    if "costly" in address and not confirmed:
        raise UnconfirmedCostError("That costs up to $0.30 a day.")
    if options:
        raise BadRequestError(f"{address} was given {dict(options)}.")
    raise UnreachableError(f"{address} can't be reached from a test.")


def previewed(address: str, options: Mapping[str, Any]) -> SourcePreview:
    """Return a preview with every note and field, without a request."""
    if "nowhere" in address:
        raise UnreachableError(f"{address} can't be reached from a test.")
    storm = Content(
        ActivityKind.ARTICLE,
        "web",
        "https://tide.example/1",
        Actor("web", "ana", "Ana & <b>Ben</b>"),
        "Storm <i>now</i>",
        "Ferries stay in port. " * 40,
        lang="en",
        published=NOON,
        hashtags=("Weather", "x" * 80),
        media=(Media("image", "https://tide.example/" + "long/" * 30 + "a.jpg", alt="Waves", width=800, height=600),),
    )
    meeting = Content(
        ActivityKind.EVENT, "web", event=Occasion(NOON, zone_label="IST", place="Town hall", cancelled=True)
    )
    entries = tuple(
        PreviewedEntry(name, content, ("weather",), (), tuple(entry_notes(name, content, "The Tide", NOON)))
        for name, content in (("1", storm), ("sha256:2", meeting))
    )
    notes = ("https://tide.example/ announces this feed.", f"Options: {dict(options)}.")
    followed = "news" if "known" in address else None
    cost = "That costs up to $0.30 a day." if "costly" in address else ""
    return SourcePreview(
        "rss", "https://tide.example/feed", "The Tide", "the-tide", timedelta(minutes=5), 3, entries, notes, followed,
        cost,
    )  # fmt: skip


def _moved(store: Store, clock: Stopped, slug: str, address: str, who: str) -> Source:
    if "nowhere" in address:
        raise UnreachableError(f"{address} can't be reached from a test.")
    with store.writing() as tx:
        source = tx.polling.sources.get(slug)
        assert source is not None
        tx.polling.sources.move(source, Place(address, "tide.example:443"), "changed", clock(), who=who)
        moved = tx.polling.sources.get(slug)
        assert moved is not None
        return moved


def _importing(store: Store, clock: Stopped) -> ImportDocument:
    """Return the importer of the real installation; it makes no requests for feeds."""
    context = PollContext(cast("Http", None), clock, cast("RateLimiter", None))

    async def no_requests() -> PollContext:
        return context

    def import_(document: UploadedDocument, who: str) -> ImportReport:
        target = Target(store, clock, lambda: HeaderCipher(SECRET), None, (), who, document.name)
        return asyncio.run(import_document(document, target, no_requests))

    return import_


class NoConnections:
    """A desk without networks whose accounts can be connected."""

    def services(self) -> Sequence[ConnectableService]:
        return ()

    def tokens(self) -> Sequence[TokenFacts]:
        return ()

    def begin(self, service: str, who: str, redirect_url: str, *, is_owner: bool) -> str:
        raise BadRequestError(f"{service} {who} {redirect_url} {is_owner}")

    def finish(self, answer: str, who: str) -> Credential:
        raise BadRequestError(f"This authorization of {who} is unknown: {answer}")

    def remove(self, name: str, who: str) -> Credential:
        raise NotFoundError(f"{who} has no {name}.")


@contextmanager
def installed(
    store: Store,
    clock: Stopped,
    *,
    public_url: str | None = None,
    connection: Connection | None = None,
    keys: Sequence[Secret] = (SECRET,),
    fetch: Callable[[str], bytes] | None = None,
    host: str | None = None,
    sign_in: Callable[[str], SignInOptions] = lambda _: SignInOptions(),
) -> Iterator[Installation]:
    """Serve a store until the block ends; readers don't cache, so that each request sees all decisions.

    With a `host`, the public URL has it and the port. `sign_in` gets the address.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"http://{host or '127.0.0.1'}:{listener.getsockname()[1]}"
    public_url = address if host else public_url
    reader = app_of(store, clock=clock, public_url=public_url, fetch=fetch)
    desk = create_desk(
        store,
        clock=clock,
        public_url=public_url,
        timezone=ZoneInfo("America/New_York"),
        locale="en",
        trusted_proxies=(),
        keys=lambda: tuple(keys),
        pictures=reader.state.pictures,
        sign_in=sign_in(address),
        sections=lambda desk: sections(
            desk,
            publish=publish,
            subscribe=_no_address,
            preview=previewed,
            readdress=lambda slug, address, who: _moved(store, clock, slug, address, who),
            import_document=_importing(store, clock),
            kinds=forms(),
            connection=connection or NoConnections(),
            public_url=public_url,
        ),
    )
    server = uvicorn.Server(
        uvicorn.Config(
            Mounted(reader, "/review", desk, prefix=""), log_level="critical", proxy_headers=False, lifespan="off"
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield Installation(store, clock, desk, address)
    finally:
        server.should_exit = True
        reader.state.live.end()
        thread.join(10)
        reader.state.callers.settle(10)
        listener.close()
        assert not thread.is_alive()


@pytest.fixture(autouse=True)
def quick_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash passwords at the lowest cost; their strength is tested separately."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(passwords, "_dummy_hash", [])


@pytest.fixture
def clock() -> Stopped:
    return Stopped()


@pytest.fixture
def house(store: Store, clock: Stopped) -> Iterator[Installation]:
    """Serve each kind of database in turn."""
    with installed(store, clock) as installation:
        yield installation


@pytest.fixture
def sqlite_house(sqlite_store: Store, clock: Stopped) -> Iterator[Installation]:
    """Serve SQLite, for tests that don't depend on the database."""
    with installed(sqlite_store, clock) as installation:
        yield installation
