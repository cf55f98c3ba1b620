"""Simulate the collectors of traces (OTLP over HTTP) and of error reports (Sentry)."""

from __future__ import annotations

import gzip
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

import brotli
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.reader.serving import answering

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Span:
    name: str
    trace: str
    id: str
    parent: str
    service: str
    process: int
    attributes: dict[str, Any]
    failed: bool


@dataclass
class Collector:
    """What a collector received."""

    address: str = ""
    spans: list[Span] = field(default_factory=list)
    reports: list[dict[str, Any]] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def dsn(self) -> str:
        return self.address.replace("://", "://key@") + "/1"

    def named(self, name: str) -> list[Span]:
        with self.lock:
            return [span for span in self.spans if span.name == name]

    def receive(self, path: str, body: bytes) -> None:
        with self.lock:
            self.raw.append(body)
            if path.startswith("/v1/traces"):
                self.spans += _spans(body)
            elif "/envelope/" in path:
                self.reports += _reports(body)


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector of both."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            unpack = {"gzip": gzip.decompress, "br": brotli.decompress}.get(self.headers.get("Content-Encoding", ""))
            collector.receive(self.path, unpack(body) if unpack else body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with answering(Handler) as address:
        collector.address = address
        yield collector


def _spans(body: bytes) -> Iterator[Span]:
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        facts = {each.key: each.value for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    span.name,
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    facts["service.name"].string_value,
                    facts["process.pid"].int_value,
                    {each.key: each.value.string_value or each.value.int_value for each in span.attributes},
                    span.status.code == span.status.STATUS_CODE_ERROR,
                )


def _reports(body: bytes) -> Iterator[dict[str, Any]]:
    lines = body.split(b"\n")
    for header, payload in zip(lines[1::2], lines[2::2], strict=False):
        if json.loads(header).get("type") == "event":
            yield json.loads(payload)
