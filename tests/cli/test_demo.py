"""Test `aggregator demo` on a fresh machine: it works over HTTP and leaves nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.processes import Processes, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.stack


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Processes]:
    with Processes(tmp_path, {"TMPDIR": str(tmp_path)}) as demo:
        demo.start("demo", sys.executable, "-m", "aggregator", "demo", "--publish-every", "2")
        eventually("the reader answers", lambda: demo.get("/healthz"))
        yield demo


def _portal_retweets(demo: Processes) -> dict[str, dict[str, Any]]:
    return {
        item["object"]["actor"]["handle"]: item
        for item in demo.items()
        if item["kind"] == "repost" and item["object"] and "(sample)" not in item["object"]["text"]
    }


@pytest.mark.long
def test_the_main_job_is_seen_and_moves(demo: Processes) -> None:
    eventually("articles and reposts are there", lambda: {"article", "post", "repost"} <= _kinds(demo))
    retweets = eventually(
        "the portal's three retweets", lambda: len(_portal_retweets(demo)) == 3 and _portal_retweets(demo)
    )
    assert set(retweets) == {"OpenGovHub", "josephpowell", "FelipeEstefan"}
    assert {item["actor"]["handle"] for item in retweets.values()} == {"opengovpart"}
    assert "The IRM team within @opengovpart is looking" in retweets["OpenGovHub"]["object"]["text"]
    assert not any(item["object"]["text"].startswith("RT @") for item in retweets.values())
    items = demo.items()
    published = [datetime.fromisoformat(item["published_at"] or item["first_seen_at"]) for item in items]
    assert published == sorted(published, reverse=True)
    before = {item["id"] for item in items}
    fresh = eventually("a new item arrives", lambda: {item["id"] for item in demo.items()} - before)
    assert fresh
    assert demo.sources().keys() == {
        "opengovpart",
        "opengovpart-bluesky",
        "opengovpart-mastodon",
        "news-and-events-sample-upstream",
        "events-sample-upstream",
    }


@pytest.mark.long
def test_the_social_block_mixes_all_networks(demo: Processes) -> None:
    networks = {"x", "bluesky", "mastodon", "web"}
    eventually("items of all networks", lambda: networks <= {item["network"] for item in demo.items()})
    listed = demo.get("/api/v1/activities?collapse=story&limit=50")["items"]
    stories = [{item["network"], *(other["network"] for other in item["story"])} for item in listed]
    assert networks - {"web"} in stories  # the same words without a link
    assert networks in stories  # the same link
    labels, seen = {"X", "Bluesky", "Mastodon"}, set[str]()

    def all_were_shown() -> bool:  # of a story, the post of one network is shown at a time
        block = _social_block(demo)
        seen.update(label for label in labels if f"on {label}</span>" in block)
        return labels <= seen

    eventually("posts of all networks in the block", all_were_shown)


@pytest.mark.slow
def test_it_ends_within_five_seconds_and_leaves_nothing(demo: Processes, tmp_path: Path) -> None:
    eventually("it is at work", demo.items)
    group = demo._running["demo"].pid
    began = time.monotonic()
    assert demo.terminate("demo", signal.SIGINT, patience=60) == 0
    assert time.monotonic() - began < 15  # five on an idle machine
    assert subprocess.run(["pgrep", "-g", str(group)], check=False, capture_output=True).stdout == b""
    assert list(tmp_path.glob("aggregator-demo-*")) == []
    output = demo.log("demo")
    assert "Stopped" in output
    assert "Traceback" not in output
    assert not re.search(r"\[(warning|error)", output), output


def _social_block(demo: Processes) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{demo.port}/", timeout=60) as response:
        page = str(response.read().decode())
    return page.partition(">Get Social</bdi></h2>")[2].partition("<section")[0]


def _kinds(demo: Processes) -> set[str]:
    return {item["kind"] for item in demo.items()}
