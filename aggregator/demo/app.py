"""Build the sample upstream as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from aggregator.demo.bluesky_api import BlueskyApi
from aggregator.demo.mastodon_api import MastodonApi
from aggregator.demo.news import News

if TYPE_CHECKING:
    from aggregator.demo.world import World
    from aggregator.demo.x_api import XApi


def create_app(world: World, x: XApi) -> Starlette:
    """Return the application: the APIs of three networks, and the news site of one world."""
    social = [*BlueskyApi(world.social.bluesky).routes(), *MastodonApi(world.social.mastodon).routes()]
    return Starlette(routes=[*x.routes(), *social, *News(world).routes()])
