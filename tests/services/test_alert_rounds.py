"""Test alerts: opened, delivered once by webhook and e-mail over real servers, retried, and closed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socketserver
import ssl
import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.monitoring.alerts import Condition, detect
from aggregator.domain.polling.results import FetchResult
from aggregator.domain.secrets import Secret
from aggregator.domain.source import Policy, SourceState
from aggregator.domain.source_health import StaleSource
from aggregator.services.alert_delivery import send_mail
from aggregator.services.screen_entries import screened_all
from aggregator.services.store_result import store_result
from storage.tables.moderation import alert
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.faults.certificates import untrusted
from tests.faults.wire import ALLOWED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store

HOUR = timedelta(hours=1)
SECRET = "a secret of sixteen and more"


@contextmanager
def serving(server: Any) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Hook:
    """An endpoint for webhooks."""

    def __init__(self) -> None:
        self.status = 204
        self.got: list[tuple[dict[str, str], bytes]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hook.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


class Post:
    """A mail server that accepts every message."""

    def __init__(self) -> None:
        self.mails: list[str] = []
        post = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 post\r\n")
                while line := self.rfile.readline().decode().strip():
                    word = line.split()[0].upper()
                    if word == "DATA":
                        self.wfile.write(b"354 go on\r\n")
                        lines = []
                        while (received := self.rfile.readline()) != b".\r\n":
                            lines.append(received.decode())
                        post.mails.append("".join(lines))
                    self.wfile.write(b"221 bye\r\n" if word == "QUIT" else b"250 fine\r\n")
                    if word == "QUIT":
                        return

        self.server = socketserver.ThreadingTCPServer((ALLOWED, 0), Handler)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> Any:
        return self.now


@pytest.fixture
def hook() -> Hook:
    return Hook()


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def container(store: Store, tmp_path: Path, hook: Hook, post: Post, clock: Clock) -> Iterator[Container]:
    """Give an installation that sends alerts by webhook and e-mail."""
    with serving(hook.server) as http, serving(post.server) as smtp:
        settings = Settings.from_environment(
            {
                "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
                "AGGREGATOR_DATA_DIR": str(tmp_path),
                "AGGREGATOR_PUBLIC_URL": "https://stream.example",
                "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
                "AGGREGATOR_WEBHOOK_URL": f"http://127.0.0.1:{http}/hook?key=1",
                "AGGREGATOR_WEBHOOK_SECRET": SECRET.replace(" ", "-"),
                "AGGREGATOR_MAIL_SERVER": f"smtp://{ALLOWED}:{smtp}",
                "AGGREGATOR_MAIL_FROM": "stream@portal.example",
                "AGGREGATOR_MAIL_TO": "ana@portal.example,ben@portal.example",
            }
        )
        container = Container(settings, clock)
        yield container
        container.close()


def stop(store: Store, slug: str = "news") -> None:
    source = add_source(store, slug, name="The\r\nNews: Ünï")
    with store.writing() as tx:
        tx.polling.sources.set_state(source.id, SourceState.STOPPED, "it answered 410 Gone.", NOON)


def test_a_stopped_source_is_told_once_and_taken_back(
    store: Store, container: Container, hook: Hook, post: Post, clock: Clock
) -> None:
    stop(store)
    for _ in range(3):
        container.notifier.attend()
        clock.now += HOUR
    with store.writing() as tx:
        (source,) = tx.polling.sources.each()
        tx.polling.sources.set_state(source.id, SourceState.ACTIVE, "", clock.now)
    for _ in range(3):
        container.notifier.attend()
        clock.now += timedelta(minutes=10)

    bodies = [json.loads(body) for _, body in hook.got]
    assert [body["type"] for body in bodies] == ["source-stopped.began", "source-stopped.ended"]
    assert bodies[0]["link"] == "https://stream.example/review/sources/news"
    assert bodies[0]["sentence"] == "The\r\nNews: Ünï was stopped: it answered 410 Gone."
    assert len(post.mails) == 2
    assert "To: ana@portal.example, ben@portal.example" in post.mails[0]
    assert "\nNews:" not in post.mails[0].partition("\r\n\r\n")[0]  # no header of theirs
    headers, body = hook.got[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = SECRET.replace(" ", "-").encode()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def test_what_could_not_be_told_is_told_later(store: Store, container: Container, hook: Hook, clock: Clock) -> None:
    stop(store)
    hook.status = 503
    container.notifier.attend()
    hook.status = 204
    container.notifier.attend()  # not yet: the next try has its time
    early = len(hook.got)
    clock.now += timedelta(minutes=5)
    container.notifier.attend()

    assert (early, len(hook.got)) == (1, 2)
    with store.reading() as tx:
        assert [alert.sentence for alert in tx.monitoring.alerts.open()] == [
            "The\r\nNews: Ünï was stopped: it answered 410 Gone."
        ]


def test_a_broken_webhook_does_not_keep_mail_from_going(
    store: Store, container: Container, hook: Hook, post: Post
) -> None:
    stop(store)
    hook.status = 503
    container.notifier.attend()
    assert (len(hook.got), len(post.mails)) == (1, 1)
    with store.engine.connect() as connection:
        problem = connection.execute(select(alert.c.problem)).scalar_one()
    assert "503" in problem
    assert "key=1" not in problem  # a webhook's address may be its password


def test_what_the_clock_will_show_makes_no_queue_old(store: Store) -> None:
    source = replace(add_source(store, policy=Policy.DELAY), delay=HOUR)
    result = FetchResult(activities=[an_activity("1")])
    with store.writing() as tx:
        store_result(tx, source, result, screened_all(source, result, NOON), now=NOON, token="t", pace=None)
        assert tx.moderation.reviews.count_waiting() == 1
        assert tx.monitoring.alerts.oldest_waiting() is None


def test_mail_is_handed_to_a_server_that_proves_itself(
    post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.server.socket = untrusted(tmp_path).wrap_socket(post.server.socket, server_side=True)
    message = EmailMessage()
    message["To"] = "ana@portal.example"
    message["From"] = "stream@portal.example"
    with serving(post.server) as port:
        server = Secret(f"smtps://{ALLOWED}:{port}")
        with pytest.raises(ssl.SSLCertVerificationError):
            send_mail(server, message)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))  # as if it had been installed
        send_mail(server, message)
    assert len(post.mails) == 1


def test_two_workers_tell_it_once(store: Store, container: Container, hook: Hook) -> None:
    stop(store)
    threads = [threading.Thread(target=container.notifier.attend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hook.got) == 1


def test_a_queue_that_grows_old_is_told(store: Store, container: Container, hook: Hook, clock: Clock) -> None:
    ingest_now(store, add_source(store, policy=Policy.HOLD), [an_activity("1")])
    clock.now += 23 * HOUR
    container.notifier.attend()
    early = len(hook.got)
    clock.now += 2 * HOUR
    container.notifier.attend()

    assert early == 0
    kinds = [json.loads(body)["type"] for _, body in hook.got]
    assert "queue-old.began" in kinds


@pytest.mark.parametrize(
    ("changes", "alerted"),
    [
        ({}, False),
        ({"state": SourceState.STOPPED, "state_reason": "gone"}, True),
        ({"state": SourceState.PAUSED, "failures": 9}, False),
        ({"failures": 3, "last_success": NOON - HOUR}, False),
        ({"failures": 5, "last_success": NOON - HOUR}, True),
        ({"failures": 2, "last_success": NOON - 30 * HOUR}, True),
    ],
)
def test_a_hiccup_is_no_alert(changes: dict[str, Any], alerted: bool) -> None:
    source = StaleSource(
        "news", "News", SourceState.ACTIVE, "", NOON, timedelta(minutes=15), 0, NOON, None, None, None
    )._replace(**changes)
    found: list[Condition] = list(detect([source], None, None, NOON))
    assert bool(found) is alerted
