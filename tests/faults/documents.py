"""Read hostile documents by the thousand: `python -m tests.faults.documents 10000 [FIRST]` prints the outcomes.

Every one is read and screened as a poll would. It must end as activities or as a domain error, within seconds, and
leave the memory as it was.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from aggregator.domain.errors import UnreadableError
from aggregator.domain.source import Policy
from aggregator.services.screen_entries import screened
from aggregator.sources.rss.parse import normalise
from tests import feeds

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_ENCODINGS = (
    "utf-16",
    "utf-16-be",
    "utf-32",
    "cp1252",
    "iso-8859-2",
    "shift-jis",
    "gb18030",
    "koi8-r",
    "utf-7",
    "cp037",
)
_TYPES = (
    "",
    "text/xml",
    "application/rss+xml; charset=utf-8",
    "text/html",
    "application/json",
    "x" * 5000,
    "text/xml; charset=rot13",
)


@dataclass(slots=True)
class Toll:
    """The outcomes of a number of documents."""

    outcomes: Counter[str] = field(default_factory=Counter)  # "read", or the code of an error
    slowest: float = 0.0  # seconds
    slowest_seed: int = 0
    grown: int = 0  # kilobytes of memory, at the most


def hostile(seed: int) -> tuple[bytes, str]:
    """Return the document of a seed and its content type; always the same for a seed."""
    dice = random.Random(seed)
    body, content_type = feeds.broken(seed) if seed % 3 else feeds.feed(seed)
    if dice.random() < 0.2:
        content_type = dice.choice(_TYPES)
    return dice.choice(_MUTATIONS)(body, dice), content_type


def storm(count: int, first: int = 0) -> Toll:
    """Read `count` of them.

    Raises:
        Exception: any error outside of the domain's; its note names the seed.
    """
    toll = Toll()
    for seed in range(first, first + 50):  # what every process needs once
        _outcome(*hostile(seed))
    before = _memory()
    for seed in range(first, first + count):
        began = time.perf_counter()
        try:
            toll.outcomes[_outcome(*hostile(seed))] += 1
        except Exception as problem:
            problem.add_note(f"with the seed {seed}")
            raise
        took = time.perf_counter() - began
        if took > toll.slowest:
            toll.slowest, toll.slowest_seed = took, seed
        if seed % 50 == 0:
            toll.grown = max(toll.grown, _memory() - before)
    return toll


def _outcome(body: bytes, content_type: str) -> str:
    try:
        feed = normalise(body, content_type, "https://site.example/feed")
        again = normalise(body, content_type, "https://site.example/feed", feed.seen)
    except UnreadableError as problem:
        return problem.code
    if again.skipped + len(again.activities) < len(feed.activities):
        raise AssertionError("entries got lost between two readings of the same bytes")
    for activity in feed.activities:
        screened(activity, Policy.AUTO, NOW)
    return "read"


def _flipped(body: bytes, dice: random.Random) -> bytes:
    changed = bytearray(body)
    for _ in range(dice.randint(1, 40) if changed else 0):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _cut(body: bytes, dice: random.Random) -> bytes:
    return body[: dice.randint(0, len(body))]


def _shuffled(body: bytes, dice: random.Random) -> bytes:
    at, to = sorted(dice.randint(0, len(body)) for _ in range(2))
    return body[to:] + body[at:to] * dice.randint(0, 3) + body[:at]


def _recoded(body: bytes, dice: random.Random) -> bytes:
    return body.decode("utf-8", "replace").encode(dice.choice(_ENCODINGS), "replace")


def _bomb(_: bytes, dice: random.Random) -> bytes:
    levels = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    head = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "{"ha" * 10}">{levels}]>'
    return f"{head}<rss><channel><title>&{dice.choice('bcdefghij')};</title><item><title>&j;</title></item>".encode()


def _deep(_: bytes, dice: random.Random) -> bytes:
    name, depth = dice.choice(("item", "div", "a:b", "description")), dice.randint(10, 3_000)
    closed = f"</{name}>" * dice.choice((0, depth, depth // 2))
    return f"<rss xmlns:a='a'><channel><item><description>{f'<{name}>' * depth}{closed}".encode()


def _wide(_: bytes, dice: random.Random) -> bytes:
    attributes = " ".join(f"a{n}='{n}'" for n in range(dice.randint(10, 3_000)))
    return f"<rss><channel><item {attributes}><title>x</title></item></channel></rss>".encode()


def _many(_: bytes, dice: random.Random) -> bytes:
    item = dice.choice(("<item><title>x</title></item>", "<item/>", "<item>", "<item><category>x</category></item>"))
    return f"<rss><channel>{item * dice.randint(400, 4_000)}</channel></rss>".encode()


def _long(_: bytes, dice: random.Random) -> bytes:
    text = dice.choice(("&lt;b&gt;", "x ", "&amp;", "\u202e", "&lt;a href=x&gt;", "]]&gt;")) * dice.randint(
        1000, 50_000
    )
    item = f"<item><title>{text[:9000]}</title><description>{text}</description></item>"
    return f"<rss><channel>{item}</channel></rss>".encode()


def _noise(_: bytes, dice: random.Random) -> bytes:
    return dice.choice((b"", b"<rss>", b"{", b"[", b"\xff\xfe")) + dice.randbytes(dice.randint(0, 20_000))


def _json(_: bytes, dice: random.Random) -> bytes:
    return b'{"version":"https://jsonfeed.org/version/1.1","items":[' + b'{"id":[' * dice.randint(0, 9000) + b"]}"


def _as_it_is(body: bytes, _: random.Random) -> bytes:
    return body


_MUTATIONS = (
    _as_it_is,
    _flipped,
    _flipped,
    _cut,
    _cut,
    _shuffled,
    _recoded,
    _bomb,
    _deep,
    _wide,
    _many,
    _long,
    _noise,
    _json,
)


def _memory() -> int:
    """Return the memory of this process in kilobytes; 0 where that is unknown."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    return int(
        next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmRSS")).split()[1]
    )


if __name__ == "__main__":
    began = time.perf_counter()
    result = storm(int(sys.argv[1]), *map(int, sys.argv[2:]))
    print(f"{sys.argv[1]} documents in {time.perf_counter() - began:.0f} s: {dict(result.outcomes.most_common())}")
    print(f"slowest {result.slowest:.2f} s (seed {result.slowest_seed}); memory grew by {result.grown / 1024:.0f} MB")
