"""Test the samples for nginx and Caddy with the real servers: HTTP/2, live events and a path prefix."""

from __future__ import annotations

import http.client
import ipaddress
import re
import shutil
import socket
import ssl
import subprocess
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.building import NOON, add_source, an_activity, ingest_now
from tests.processes import eventually
from tests.reader.conftest import app_of
from tests.reader.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store

FOLDER = Path(__file__).parents[2] / "deploy" / "proxy"
HOST = "stream.example"
PROXIES = ["nginx", "caddy"]


class _Connection(http.client.HTTPSConnection):
    """A connection to the proxy on this machine, by the name of its certificate."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        super().__init__(HOST, port, timeout=30, context=context)
        self._context = context

    def connect(self) -> None:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname=HOST)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _certificate(folder: Path) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={HOST}"]
    command += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def _nginx(folder: Path, reader: int, port: int, location: str) -> list[str]:
    certificate, key = _certificate(folder)
    site = (FOLDER / "nginx.conf").read_text("utf-8")
    for old, new in (
        ("127.0.0.1:8080", f"127.0.0.1:{reader}"),
        ("listen 80;", f"listen 127.0.0.1:{_free_port()};"),
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        ("/etc/ssl/stream.example.pem", str(certificate)),
        ("/etc/ssl/stream.example.key", str(key)),
        ("location / {", f"location {location} {{"),
    ):
        assert old in site
        site = site.replace(old, new)
    paths = "".join(
        f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"pid {folder}/pid; error_log {folder}/error.log; daemon off; events {{}}\n"
    (folder / "nginx.conf").write_text(f"{whole}http {{ access_log off; {paths}\n{site}\n}}\n", "utf-8")
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def _caddy(folder: Path, reader: int, port: int, location: str) -> list[str]:
    certificate, key = _certificate(folder)
    site = (FOLDER / "Caddyfile").read_text("utf-8")
    assert "127.0.0.1:8080" in site
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{reader}")
    site = site.replace("stream.example {", f"https://stream.example:{port} {{\n\ttls {certificate} {key}", 1)
    if location != "/":
        begin, found, rest = site.partition("\treverse_proxy ")
        body, end, tail = rest.partition("\n\t}\n")
        site = f"{begin}\thandle {location}* {{\n{found}{body}{end}\t}}\n{tail}"
    storage = f"storage file_system {{\n\t\troot {folder}\n\t}}"
    options = f"{{\n\tadmin off\n\tauto_https disable_redirects\n\t{storage}\n}}\n"
    (folder / "Caddyfile").write_text(options + site, "utf-8")
    return ["caddy", "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def _before(proxy: str, folder: Path, reader: int, location: str = "/") -> Iterator[tuple[int, ssl.SSLContext]]:
    """Run a proxy with the sample file; give its port and the context that trusts it."""
    if shutil.which(proxy) is None:
        pytest.skip(f"no {proxy}")
    port = _free_port()
    command = {"nginx": _nginx, "caddy": _caddy}[proxy](folder, reader, port, location)
    context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            eventually(f"{proxy} answers", lambda: _get(port, context, "/nothing") is not None)
            yield port, context
        finally:
            process.terminate()  # a killed nginx would leave its workers behind
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _asked(port: int, context: ssl.SSLContext, path: str) -> Iterator[http.client.HTTPResponse]:
    with closing(_Connection(port, context)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as response:
            yield response


def _get(port: int, context: ssl.SSLContext, path: str) -> tuple[int, str] | None:
    """Return status and body; None: the proxy does not answer."""
    try:
        with _asked(port, context, path) as response:
            return response.status, response.read().decode()
    except OSError:
        return None


def _status(port: int, context: ssl.SSLContext, path: str) -> int:
    with _asked(port, context, path) as response:
        return response.status


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_sample_passes_pages_and_events_on_and_keeps_metrics_private(
    sqlite_store: Store, tmp_path: Path, proxy: str
) -> None:
    source = add_source(sqlite_store)
    with serving(app_of(sqlite_store), watching=True) as reader, _before(proxy, tmp_path, reader.port) as (port, trust):
        assert [_status(port, trust, path) for path in ("/", "/metrics")] == [200, 404]

        offering = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        offering.set_alpn_protocols(["h2", "http/1.1"])
        with (
            socket.create_connection(("127.0.0.1", port)) as raw,
            offering.wrap_socket(raw, server_hostname=HOST) as secured,
        ):
            assert secured.selected_alpn_protocol() == "h2"

        with _asked(port, trust, "/api/v1/live") as live:
            ingest_now(sqlite_store, source, [an_activity("a", published=NOON)])
            line = b"-"
            while line and not line.startswith(b"event: activity"):
                line = live.readline()  # an event that is buffered does not arrive before the timeout
            assert line


@pytest.mark.parametrize("proxy", PROXIES)
def test_the_sample_serves_below_a_prefix(sqlite_store: Store, tmp_path: Path, proxy: str) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("a")])
    public = f"https://{HOST}/stream"
    app = app_of(sqlite_store, public_url=public, trusted_proxies=(ipaddress.ip_network("127.0.0.1/32"),))
    with serving(app) as reader, _before(proxy, tmp_path, reader.port, "/stream/") as (port, trust):
        with _asked(port, trust, "/stream/?kind=article") as page:
            text = page.read().decode()
        assert 'action="/stream/"' in text
        (sheet,) = re.findall(r'href="([^"]+/site\.css)"', text)
        assert sheet.startswith("/stream/static/")
        assert _status(port, trust, sheet) == 200
