"""Publish the same on four networks of a sample world, and poll all of them."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import SAMPLE_TOKEN, Upstream
from aggregator.demo.articles import Article
from aggregator.demo.bluesky_api import handle_of
from aggregator.demo.portal import PORTAL
from aggregator.demo.social import Page
from aggregator.demo.world import World
from aggregator.domain.activity import ActivityKind
from aggregator.domain.stream import Query

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from aggregator.domain.source import Source
    from storage.store import Store

MINUTE = timedelta(minutes=1)
WORDS = "Registration for the spring meeting no. {} is open until 14 March 2027"
ORGANIZATIONS = """
[organizations.ogp]
within_minutes = 30
accounts = ["x:@OpenGovPart", "bluesky:{bluesky}", "mastodon:@{mastodon}"]
"""


class Networks:
    """A sample world whose portal publishes on four networks, and an installation that polls them."""

    def __init__(self, upstream: Upstream, container: Container) -> None:
        self.world = upstream.world
        self.container = container
        self.start = self.world.began - timedelta(days=2)
        host = upstream.url.partition("://")[2]
        addresses = {
            "x": f"@{PORTAL}",
            "bluesky": f"@{handle_of(PORTAL)}",
            "mastodon": f"@{PORTAL}@{host}",
            "web": f"{upstream.url}/news.xml",
        }
        self.sources: dict[str, Source] = {}
        for network, address in addresses.items():
            self.sources[network], _ = container.subscribe(address)

    def poll(self, *networks: str) -> None:
        for network in networks:
            [report] = self.container.polling.poll_now([self.sources[network].id])
            assert report.error is None

    def publish(self, network: str, words: str, minute: int, page: str | None = None) -> Any:
        """Publish a post or article, with a link to a page of the site; return it."""
        at, world = self.start + minute * MINUTE, self.world
        if network == "web":
            article = Article(page or words, words, f"{words}. More on this page.", "en", at)
            world.articles = (article, *world.articles)
            world.changed = world.changed + timedelta(seconds=1)
            return article
        if network == "x":
            links = ((f"https://t.co/{minute:09d}", f"/articles/{page}"),) if page else ()
            text = f"{words} {links[0][0]}" if links else words
            return world.write(world.by_username[PORTAL], text, at, links=links)
        card = Page(f"/articles/{page}", words, "A page") if page else None
        return getattr(world.social, network).write(PORTAL, words, at, page=card)

    def stories(self) -> list[list[Activity]]:
        """Return the stories, newest first."""
        with self.container.store.reading() as tx:
            page = tx.stream.activities.page(Query(by_story=True, limit=100))
        return [[item, *page.others.get(item.id, ())] for item in page.items]

    def sizes(self) -> list[int]:
        return sorted(len(story) for story in self.stories())

    def item(self, network: str, kind: ActivityKind = ActivityKind.POST) -> Activity:
        [found] = [
            item
            for story in self.stories()
            for item in story
            if item.content.network == network and item.content.kind is kind
        ]
        return found


@contextmanager
def four_networks(store: Store, folder: Path) -> Iterator[Networks]:
    """Start the sample world, which is empty, and an installation on a store."""
    world = World(lambda: datetime.now(UTC))
    world.add_account(PORTAL)
    for network in (world.social.bluesky, world.social.mastodon):
        network.add_accounts()
    (folder / "config").mkdir()
    with Upstream(world, every=0) as upstream:
        mastodon = f"{PORTAL}@{upstream.url.partition('://')[2]}"
        text = ORGANIZATIONS.format(bluesky=handle_of(PORTAL), mastodon=mastodon)
        (folder / "config" / "organizations.toml").write_text(text, "utf-8")
        settings = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_CONFIG_DIR": str(folder / "config"),
            "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
            "AGGREGATOR_X_BASE_URL": upstream.url,
            "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
            "AGGREGATOR_BLUESKY_API": upstream.url,
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
        }
        container = Container(Settings.from_environment(settings))
        try:
            yield Networks(upstream, container)
        finally:
            container.close()
