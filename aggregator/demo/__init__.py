"""Simulate an X-shaped API and a news site on loopback, for a first run without accounts."""

from aggregator.demo.server import Upstream
from aggregator.demo.x_api import SAMPLE_TOKEN

__all__ = ["SAMPLE_TOKEN", "Upstream"]
