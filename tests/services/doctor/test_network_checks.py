"""Test that names without addresses, silent servers and wrong proxies are found."""

from __future__ import annotations

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING

import pytest

from aggregator.services.doctor.network_checks import (
    check_feed_names,
    check_names,
    check_public_address,
    check_servers,
)
from tests.building import add_source
from tests.reader.serving import answering
from tests.servers import free_port
from tests.services.doctor.subjects import codes, subject

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store

MAIL = {"MAIL_FROM": "a@portal.example", "MAIL_TO": "b@portal.example"}


def _nothing(host: str) -> None:
    if not host.startswith("127."):
        raise OSError(host)


@contextmanager
def _site(*, alive: int = True, protected: int = True, metrics: int = 401) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            is_metrics = self.path == "/metrics"
            body = b"" if is_metrics else b'{"status":"alive"}' if alive else b"<h1>It works!</h1>"
            self.send_response(metrics if is_metrics else 200)
            self.send_header("Content-Length", str(len(body)))
            if protected:
                self.send_header("Content-Security-Policy", "default-src 'none'")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
            pass

    with answering(Handler) as address:
        yield address


@pytest.mark.parametrize("variable", ["PUBLIC_URL", "CONTACT_URL"])
def test_names_without_an_address_are_found(variable: str, tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), variable: "https://portal.example"}
    assert codes(check_names, subject(environ, resolve=_nothing)) == {"name-unknown"}
    assert codes(check_names, subject(environ)) == set()


def test_broken_resolution_is_found(sqlite_store: Store, tmp_path: Path) -> None:
    for slug in ("a", "b"):
        add_source(sqlite_store, slug)
    url = sqlite_store.engine.url.render_as_string(hide_password=False)
    environ = {"DATA_DIR": str(tmp_path), "DATABASE_URL": url}
    assert codes(check_feed_names, subject(environ, resolve=_nothing)) == {"resolution-broken"}
    assert codes(check_feed_names, subject(environ)) == set()


@pytest.mark.parametrize(
    ("code", "environ"),
    [
        ("proxy-unreachable", {"PROXY": "http://127.0.0.1:{port}"}),
        ("mail-unreachable", {"MAIL_SERVER": "smtp://127.0.0.1:{port}", **MAIL}),
    ],
    ids=["proxy", "mail"],
)
def test_silent_servers_are_found(code: str, environ: dict[str, str], tmp_path: Path) -> None:
    given = {name: value.replace("{port}", str(free_port())) for name, value in environ.items()}
    assert codes(check_servers, subject({"DATA_DIR": str(tmp_path), **given})) == {code}


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, set()),
        ({"alive": False}, {"public-url-elsewhere"}),
        ({"protected": False}, {"headers-removed"}),
        ({"metrics": 200}, {"metrics-public"}),
    ],
    ids=["sound", "elsewhere", "headers", "metrics"],
)
def test_the_public_address_is_tried(options: dict[str, int], found: set[str], tmp_path: Path) -> None:
    with _site(**options) as address:
        assert codes(check_public_address, subject({"DATA_DIR": str(tmp_path), "PUBLIC_URL": address})) == found


def test_a_public_address_that_does_not_answer_is_found(tmp_path: Path) -> None:
    environ = {"DATA_DIR": str(tmp_path), "PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}
    assert codes(check_public_address, subject(environ)) == {"public-url-unreachable"}
