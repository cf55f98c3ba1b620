"""Simulate the APIs of X, Bluesky and Mastodon and a news site on loopback, for a first run without accounts."""

from aggregator.demo.bluesky_api import BLUESKY_HANDLE
from aggregator.demo.portal import PORTAL
from aggregator.demo.server import Upstream
from aggregator.demo.x_api import SAMPLE_TOKEN

__all__ = ["BLUESKY_HANDLE", "PORTAL", "SAMPLE_TOKEN", "Upstream"]
