"""Settings of YouTube: the API key, its daily quota, and addresses."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from aggregator.domain.billing.quota import Quota
from aggregator.domain.settings_schema import Option, secret, secure_address, whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.secrets import Secret

SERVICE = "youtube"  # name in the ledger
SITE = "https://www.youtube.com"
API_BASE = "https://www.googleapis.com/youtube/v3"
UNITS = 10_000  # a day, which every project has for free
_PACIFIC = ZoneInfo("America/Los_Angeles")  # its midnight resets the quota

SETTINGS: tuple[Option[Any], ...] = (
    Option(
        "YOUTUBE_API_KEY",
        secret(1),
        "an API key without spaces",
        "key for the YouTube Data API, for durations, live streams, captions and removed videos; feeds need none",
        secret=True,
    ),
    Option(
        "YOUTUBE_QUOTA",
        whole(0, 10_000_000),
        "units, 0 to 10000000",
        "most units of the API's quota to use on a day, which begins at midnight Pacific time; a call costs one",
        str(UNITS),
    ),
    Option(
        "YOUTUBE_SITE",
        secure_address,
        "an https address, or http on loopback",
        "base URL of YouTube's pages and feeds",
        SITE,
    ),
    Option(
        "YOUTUBE_API",
        secure_address,
        "an https address, or http on loopback",
        "base URL of the YouTube Data API",
        API_BASE,
    ),
)


def api_key(values: Mapping[str, Any]) -> Secret | None:
    """Return the API key."""
    key: Secret | None = values.get("youtube_api_key")
    return key


def key_id(key: Secret | None) -> str:
    """Return a name for a key that doesn't reveal it; "" for none."""
    return hashlib.sha256(key.reveal().encode()).hexdigest()[:8] if key else ""


def quota(values: Mapping[str, Any]) -> Quota:
    """Return the configured quota."""
    return Quota(SERVICE, "the YouTube Data API", values.get("youtube_quota", UNITS), _PACIFIC)
