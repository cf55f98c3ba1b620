"""Provide the items of the golden files, so that pages show every special case of Bluesky, Mastodon and YouTube."""

from __future__ import annotations

import colorsys
import hashlib
from typing import TYPE_CHECKING

from aggregator.sources.bluesky.normalise import read_page
from aggregator.sources.mastodon.normalise import read_statuses
from aggregator.sources.youtube.normalise import activity_of
from aggregator.sources.youtube.videos import read_feed, read_videos
from tests.golden_files import GOLDEN, inputs
from tests.pictures import picture

if TYPE_CHECKING:
    from aggregator.domain.activity import NewActivity

_SERVER = "https://social.example.org"


def bluesky() -> list[NewActivity]:
    """Return posts of Bluesky."""
    pages = (read_page((GOLDEN / "bluesky" / f"{name}.in.json").read_bytes()) for name in inputs("bluesky"))
    return [activity for page in pages for activity in page.activities]


def mastodon() -> list[NewActivity]:
    """Return posts of Mastodon."""
    files = ((GOLDEN / "mastodon" / f"{name}.in.json").read_bytes() for name in inputs("mastodon"))
    return [activity for body in files for activity in read_statuses(body, _SERVER).activities]


def youtube() -> list[NewActivity]:
    """Return videos, as they are with an API key."""
    feed = read_feed((GOLDEN / "youtube" / "channel.in.xml").read_bytes()).videos
    details = read_videos((GOLDEN / "youtube" / "channel.videos.json").read_bytes())
    return [activity_of(found.with_short(short=feed[id_].short)) for id_, found in details.items() if found is not None]


def draw(address: str) -> bytes:
    """Return a picture whose color depends on its address; it is upright or square for some."""
    number = hashlib.sha256(address.encode()).digest()[0]
    red, green, blue = (round(255 * part) for part in colorsys.hls_to_rgb(number / 255, 0.5, 0.5))
    size = (400, 400) if "avatar" in address else (900, 1600) if number % 3 == 0 else (1600, 900)
    return picture(*size, colour=f"#{red:02x}{green:02x}{blue:02x}")
