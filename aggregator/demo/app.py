"""Build the sample upstream as an ASGI application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette

from aggregator.demo.news import News

if TYPE_CHECKING:
    from aggregator.demo.world import World
    from aggregator.demo.x_api import XApi


def create_app(world: World, x: XApi) -> Starlette:
    """Return the application: an X-shaped API and the news site of one world."""
    return Starlette(routes=[*x.routes(), *News(world).routes()])
