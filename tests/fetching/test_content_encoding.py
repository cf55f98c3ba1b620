"""Test decompression of bodies with the client and a scripted server."""

import gzip
import sys
import zlib

import brotli
import pytest

from aggregator.domain.errors import (
    SourceError,
    UnreachableError,
    UnreadableError,
)
from aggregator.fetching.client import Http
from aggregator.fetching.response import Response

if sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd
from tests.fetching.server import Server, answer, failing, with_server


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b"plain text")),
        ("x-gzip", gzip.compress(b"plain text")),
        ("gzip", gzip.compress(b"plain ") + gzip.compress(b"text") + b"\0\0padding"),
        ("br", brotli.compress(b"plain text")),
        ("zstd", zstd.compress(b"plain text")),
        ("zstd", zstd.compress(b"plain ") + zstd.compress(b"text")),
        ("deflate", zlib.compress(b"plain text")),
        ("deflate", zlib.compress(b"plain text")[2:-4]),
        ("identity", b"plain text"),
        ("aws-chunked", b"plain text"),
        ("utf-8", b"plain text"),
        ("None", b"plain text"),
        ("binary, ISO-8859-1", b"plain text"),
        ("text/xml", b"plain text"),
        ("gzip, aws-chunked", gzip.compress(b"plain text")),
        ("gzip, gzip", gzip.compress(b"plain text")),
        ("", gzip.compress(b"plain text")),
        ("identity", gzip.compress(b"plain text")),
        ("utf-8", gzip.compress(b"plain text")),
        ("", zstd.compress(b"plain text")),
    ],
)
def test_packed_bodies_are_unpacked(encoding: str, packed: bytes) -> None:
    async def script(http: Http, server: Server) -> Response:
        head, body = answer(packed, Content_Encoding=encoding)[0].split(b"\r\n\r\n", 1)
        server.answers["/"] = [head + b"\r\n\r\n", *(body[i : i + 1] for i in range(len(body)))]
        return await http.get(f"{server.base}/")

    response = with_server(script)[0]
    assert response.body == b"plain text"
    assert response.wire_bytes == len(packed)


@pytest.mark.parametrize("body", [b"", b"<", b"\x1f\x8b", b"\x1f\x8bx"])
def test_a_body_too_short_to_be_recognized_is_kept(body: bytes) -> None:
    async def script(http: Http, server: Server) -> Response:
        server.answers["/"] = answer(body)
        return await http.get(f"{server.base}/")

    assert with_server(script)[0].body == body


@pytest.mark.parametrize(
    ("body", "encoding", "error"),
    [
        (b"not packed", "gzip", UnreadableError),
        (gzip.compress(b"x" * 999)[:-9], "gzip", UnreachableError),
        (gzip.compress(b"x" * 999)[:-9], "", UnreachableError),
        (b"whatever", "utf-8, compress", UnreadableError),
        (b"\xff not packed", "br", UnreadableError),
        (brotli.compress(b"x" * 999)[:-3], "br", UnreachableError),
        (b"not packed", "zstd", UnreadableError),
        (zstd.compress(b"x" * 999)[:-3], "zstd", UnreachableError),
        (b"whatever", "compress", UnreadableError),
        (b"whatever", "gzip, br", UnreadableError),
    ],
)
def test_a_body_that_is_not_packed_as_it_says(body: bytes, encoding: str, error: type[SourceError]) -> None:
    failing({"/": answer(body, Content_Encoding=encoding)}, error)
