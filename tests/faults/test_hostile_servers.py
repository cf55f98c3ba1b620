"""Check that misbehaving servers lead to a response or to a specific error, in time."""

from __future__ import annotations

import asyncio
import gzip
import socket
import struct
import sys
import time
import zlib
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

import brotli
import pytest

from aggregator.domain.errors import (
    BrokenOffError,
    ForbiddenAddressError,
    GoneError,
    HeadersTooLargeError,
    RedirectError,
    RobotCheckError,
    SignInError,
    SlowConnectError,
    SlowError,
    SlowFirstByteError,
    SlowTotalError,
    SourceError,
    StatusError,
    UnpackedTooLargeError,
    UnreachableError,
    UnreadableError,
    WireTooLargeError,
)
from tests.faults.storm import BOUNDS, storm
from tests.faults.test_forbidden_addresses import blackhole
from tests.faults.wire import ALLOWED, PATIENT, QUICK, answer, client, request, serving

if TYPE_CHECKING:
    from aggregator.fetching.limits import Limits
    from aggregator.fetching.response import Response
    from tests.faults.wire import Play

if sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

# Only servers that are too slow reach a limit in time; the machine may be slow, too.
TOO_SLOW = replace(QUICK, connect=PATIENT.connect)
FAST = replace(PATIENT, page=QUICK.page)
MORE = 5.0  # seconds that a busy machine adds
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
PLAIN = b"A text that packs well. " * 99
PACKED = {
    "gzip": gzip.compress(PLAIN, mtime=0),
    "deflate": zlib.compress(PLAIN),
    "br": brotli.compress(PLAIN),
    "zstd": zstd.compress(PLAIN),
}


def says(*pieces: bytes, gap: float = 0.0, stays: bool = False) -> Play:
    """Return a handler that sends these pieces with a pause before each, then hangs up or stays silent."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        for piece in pieces:
            await asyncio.sleep(gap)
            writer.write(piece)
            await writer.drain()
        if stays:
            await asyncio.sleep(60)

    return play


def goes_on(head: bytes, piece: bytes, gap: float = 0.0) -> Play:
    """Return a handler that sends a piece again and again, without end."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(head)
        while True:
            await asyncio.sleep(gap)
            writer.write(piece)
            await writer.drain()

    return play


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await request(reader)
    writer.write(OK + b"Content-Length: 1000\r\n\r\nhalf")
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hangs_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


def packed(encoding: str, body: bytes) -> Play:
    return says(answer(body, Content_Encoding=encoding))


def far_looking(data: bytes) -> bytes:
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 27})
    return packer.compress(data) + packer.flush()


def moved(location: str, status: str = "302 Found") -> Play:
    return says(answer(status=status, Location=location))


def moved_raw(location: bytes) -> Play:
    return says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: " + location + b"\r\n\r\n")


async def wanders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    path = (await request(reader)).split(" ")[1]
    writer.write(answer(status="302 Found", Location=f"{path}x"))


HTML = "text/html; charset=utf-8"
CHALLENGE = b"<!doctype html><title>Just a moment...</title>"

HOSTILE: dict[str, tuple[Play, type[SourceError]]] = {
    # Time
    "says nothing": (says(stays=True), SlowFirstByteError),
    "drips its headers": (goes_on(OK, b"X: y\r\n", 0.05), SlowFirstByteError),
    "drips one header": (goes_on(OK + b"X: ", b"y", 0.05), SlowFirstByteError),
    "sends 1xx without end": (goes_on(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"), SlowFirstByteError),
    "drips its body": (goes_on(OK + b"\r\n", b"x", 0.05), SlowTotalError),
    "stops in its body": (says(OK + b"Content-Length: 99\r\n\r\nhalf", stays=True), SlowTotalError),
    "drips chunks": (goes_on(CHUNKED, b"1\r\nx\r\n", 0.05), SlowTotalError),
    "sends only comments of chunks": (goes_on(CHUNKED + b"1;", b"x=y;", 0.05), SlowTotalError),
    "drips trailers": (goes_on(CHUNKED + b"0\r\n", b"X: y\r\n", 0.05), SlowTotalError),
    # Size
    "sends a body without end": (goes_on(OK + b"\r\n", b"x" * 9999), WireTooLargeError),
    "sends chunks without end": (goes_on(CHUNKED, b"270f\r\n" + b"x" * 9999 + b"\r\n"), WireTooLargeError),
    "announces too much": (says(OK + b"Content-Length: 100001\r\n\r\n", stays=True), WireTooLargeError),
    "sends a huge header": (says(OK + b"X: " + b"y" * 99_999 + b"\r\n\r\n"), HeadersTooLargeError),
    "sends a header without end": (goes_on(OK + b"X: ", b"y" * 999), HeadersTooLargeError),
    "sends a name without end": (goes_on(OK, b"y" * 999), HeadersTooLargeError),
    "sends 10,000 headers": (says(OK + b"X: y\r\n" * 10_000 + b"\r\n"), HeadersTooLargeError),
    "sends headers without end": (goes_on(OK, b"X: y\r\n" * 99), HeadersTooLargeError),
    "sends trailers without end": (goes_on(CHUNKED + b"0\r\n", b"X: y\r\n" * 99), HeadersTooLargeError),
    "sends a status line without end": (goes_on(b"HTTP/1.1 200 ", b"OK" * 999), HeadersTooLargeError),
    # Words that are no HTTP
    "speaks another protocol": (says(b"220 ftp.example.org ready\r\n\r\n"), UnreachableError),
    "speaks HTTP/0.9": (says(b"<html>hello</html>"), UnreachableError),
    "says garbage": (says(bytes(range(256)) * 9), UnreachableError),
    "says a status that is none": (says(b"HTTP/1.1 abc OK\r\n\r\n"), UnreachableError),
    "has a NUL in a header": (says(OK + b"X: a\0b\r\n\r\n"), UnreachableError),
    "has a header without a name": (says(OK + b": y\r\n\r\n"), UnreachableError),
    "has a header that is none": (says(OK + b"what is this\r\n\r\n"), UnreachableError),
    "has the same length twice": (
        says(OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nxx"),
        UnreachableError,
    ),
    "has two lengths": (says(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), UnreachableError),
    "has a negative length": (says(OK + b"Content-Length: -1\r\n\r\nx"), UnreachableError),
    "has a length that is none": (says(OK + b"Content-Length: lots\r\n\r\nx"), UnreachableError),
    "has a negative chunk": (says(CHUNKED + b"-5\r\nabcde\r\n"), UnreachableError),
    "has a chunk that is none": (says(CHUNKED + b"zz\r\nabcde\r\n"), UnreachableError),
    "has a chunk beyond counting": (says(CHUNKED + b"f" * 40 + b"\r\nabc"), UnreachableError),
    # Breaking off
    "hangs up at once": (hangs_up, BrokenOffError),
    "hangs up after the request": (says(), BrokenOffError),
    "hangs up in its headers": (says(OK + b"X: y"), BrokenOffError),
    "resets in its body": (resets, BrokenOffError),
    "sends more than it announces": (says(OK + b"Content-Length: 2\r\n\r\nfine"), UnreachableError),
    "announces more than it sends": (says(OK + b"Content-Length: 99\r\n\r\nhalf"), BrokenOffError),
    "has a huge chunk and hangs up": (says(CHUNKED + b"fffffff\r\nabc"), BrokenOffError),
    "lacks its last chunk": (says(CHUNKED + b"3\r\nabc\r\n"), BrokenOffError),
    **{f"cuts {coding}": (packed(coding, body[:-6]), BrokenOffError) for coding, body in PACKED.items()},
    # Wrong Content-Encoding
    **{f"says {coding}, but is plain": (packed(coding, b"\xfe" + PLAIN), UnreadableError) for coding in PACKED},
    "says gzip, but is zstd": (packed("gzip", PACKED["zstd"]), UnreadableError),
    "says br, but is gzip": (packed("br", PACKED["gzip"]), UnreadableError),
    "says zstd, but is br": (packed("zstd", PACKED["br"]), UnreadableError),
    "is packed in an unknown way": (packed("lzma", b"x"), UnreadableError),
    "says twice how it is packed": (
        says(
            answer(PACKED["gzip"], Content_Encoding="br").replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1)
        ),
        UnreadableError,
    ),
    "breaks in the middle": (packed("gzip", PACKED["gzip"][:30] + b"\0\0" + PACKED["gzip"][32:]), UnreadableError),
    "has a wrong checksum": (packed("gzip", PACKED["gzip"][:-8] + bytes(8)), UnreadableError),
    "has junk behind br": (packed("br", PACKED["br"] + b"junk"), UnreadableError),
    "has junk behind zstd": (packed("zstd", PACKED["zstd"] + b"junk"), UnreadableError),
    "has members without a byte": (packed("gzip", gzip.compress(b"") * 4000), UnreadableError),
    "has frames without a byte": (packed("zstd", zstd.compress(b"") * 9000), UnreadableError),
    "looks back too far": (packed("zstd", far_looking(PLAIN)), UnreadableError),
    "has a bomb": (packed("gzip", gzip.compress(bytes(9_999_999))), UnpackedTooLargeError),
    # Redirects
    "redirects to itself": (moved("/"), RedirectError),
    "redirects for ever": (wanders, RedirectError),
    "redirects nowhere": (says(answer(status="301 Moved Permanently")), RedirectError),
    "redirects to nothing": (moved("  "), RedirectError),
    "redirects to a file": (moved("file:///etc/passwd"), RedirectError),
    "redirects to a script": (moved("javascript:alert(1)"), RedirectError),
    "redirects with a password": (moved("http://a:b@example.org/"), RedirectError),
    "redirects to a port that is none": (moved("http://example.org:99999/"), RedirectError),
    "redirects to half an address": (moved("http://[::1"), RedirectError),
    "redirects with a control character": (moved("http://example.org/\x7f"), RedirectError),
    "redirects inside": (moved("http://127.0.0.1:1/"), ForbiddenAddressError),
    "redirects to the metadata": (moved("//169.254.169.254/latest"), ForbiddenAddressError),
    "redirects to bytes": (moved_raw(b"http://\xff\xfe/"), ForbiddenAddressError),
    "redirects to a name that is too long": (moved("http://" + "a" * 300 + ".example/"), ForbiddenAddressError),
    # Statuses
    "is gone": (says(answer(b"bye", status="410 Gone")), GoneError),
    "wants a sign-in": (says(answer(status="401 Unauthorized")), SignInError),
    "says 304 unasked": (says(b"HTTP/1.1 304 Not Modified\r\n\r\n"), StatusError),
    "says 999": (says(answer(status="999 Denied")), StatusError),
    "says 000": (says(answer(status="000 Nothing")), StatusError),
    "changes the protocol": (
        says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello"),
        StatusError,
    ),
    "refuses with a page without end": (goes_on(b"HTTP/1.1 503 No\r\n\r\n", b"x" * 999), StatusError),
    "refuses with a page that drips": (goes_on(b"HTTP/1.1 429 No\r\n\r\n", b"x", 0.05), StatusError),
    "refuses with a bomb": (
        says(answer(gzip.compress(bytes(9_999_999)), "403 Forbidden", Content_Encoding="gzip")),
        StatusError,
    ),
    "refuses in an unknown packing": (says(answer(b"x", "429 Too Many", Content_Encoding="lzma")), StatusError),
    "wants a person": (says(answer(CHALLENGE, "403 Forbidden", Content_Type=HTML)), RobotCheckError),
    "wants a person, politely": (says(answer(CHALLENGE, Content_Type=HTML)), RobotCheckError),
    "wants a person, packed": (
        says(answer(gzip.compress(CHALLENGE), "503 No", Content_Type=HTML, Content_Encoding="gzip")),
        RobotCheckError,
    ),
}

ODD: dict[str, tuple[Play, bytes]] = {
    "names its coding twice": (packed("gzip, gzip", PACKED["gzip"]), PLAIN),
    "sends a few 1xx": (says(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + answer(b"fine")), b"fine"),
    "ends with the connection": (says(OK + b"\r\nfine"), b"fine"),
    "speaks HTTP/1.0": (says(b"HTTP/1.0 200 OK\r\n\r\nfine"), b"fine"),
    "sends byte by byte": (says(*(bytes([byte]) for byte in answer(b"fine"))), b"fine"),
    "sends nothing": (says(answer()), b""),
    "sends nothing, packed": (packed("gzip", b""), b""),
    "says 226": (says(answer(b"fine", status="226 IM Used")), b"fine"),
    "ends its lines by LF": (says(b"HTTP/1.1 200 OK\nContent-Length: 4\n\nfine"), b"fine"),
    "has bytes in a header": (says(answer(b"fine", X="\udcff\udcfe")), b"fine"),
    **{f"packs {coding}": (packed(coding, body), PLAIN) for coding, body in PACKED.items()},
    "packs deflate without its wrapping": (packed("deflate", zlib.compress(PLAIN)[2:-4]), PLAIN),
    "packs gzip in members": (packed("gzip", gzip.compress(PLAIN[:9]) + gzip.compress(PLAIN[9:]) + bytes(9)), PLAIN),
    "packs zstd in frames": (packed("zstd", zstd.compress(PLAIN[:9]) + zstd.compress(PLAIN[9:])), PLAIN),
}


async def _get(play: Play, limits: Limits = FAST) -> Response:
    async with serving(play) as port, client(limits=limits) as http:
        return await http.get(f"http://{ALLOWED}:{port}/")


@pytest.mark.parametrize(("play", "expected"), HOSTILE.values(), ids=HOSTILE)
def test_a_server_that_misbehaves_ends_in_its_own_error(play: Play, expected: type[SourceError]) -> None:
    limits = TOO_SLOW if issubclass(expected, SlowError) else FAST
    began = time.monotonic()
    with pytest.raises(expected) as caught:
        asyncio.run(_get(play, limits))
    assert type(caught.value) is expected
    assert time.monotonic() - began < limits.total + MORE


@pytest.mark.parametrize(("play", "body"), ODD.values(), ids=ODD)
def test_a_server_that_is_only_odd_is_understood(play: Play, body: bytes) -> None:
    assert asyncio.run(_get(play)).body == body


def test_one_that_takes_no_connection_is_left_after_the_time_for_that() -> None:
    async def script() -> None:
        async with client() as http:
            await http.get(f"http://{ALLOWED}:{port}/")

    with ExitStack() as stack:
        probe = stack.enter_context(socket.socket())
        probe.bind((ALLOWED, 0))
        port = probe.getsockname()[1]
        probe.close()
        stack.enter_context(blackhole(ALLOWED, port))
        with pytest.raises(SlowConnectError):
            asyncio.run(script())


def test_every_bound_has_its_own_code() -> None:
    bounds = [expected for _, expected in HOSTILE.values()] + [SlowConnectError]
    codes = {bound: bound.code for bound in bounds}
    assert len(set(codes.values())) == len(codes)


@pytest.mark.slow
def test_hostile_answers_by_the_hundred_end_in_time_and_in_flat_memory() -> None:
    toll = storm(300)
    assert toll.outcomes.total() == 300
    assert len(toll.outcomes) >= 8
    assert toll.outcomes["response"]  # how many are whole in time depends on the machine
    assert toll.slowest < BOUNDS.total + 2  # a busy machine adds to the bound
    assert toll.grown < 100 * 1024
