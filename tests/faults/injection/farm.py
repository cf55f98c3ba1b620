"""Publish, edit and remove items all the time, and know what must be shown.

Every feed and account has items of its own. The truth about an item is what its publisher and the editors did to it, as
soon as that is certain: an item whose removal could not be confirmed is removed again until it is.
"""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from tests.upstream import Entry, Feed, Publisher
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Callable

    from aggregator.demo.world import Account, Post

WINDOW = 60  # entries of a feed; they must stay in it for longer than any fault
_RECENT = 15  # entries that may be edited or removed
_WORDS = (
    "budget", "data", "audit", "forum", "council", "minister", "citizen", "water", "school", "road", "health", "court",
    "reform", "vote", "law", "record", "report", "meeting", "public", "money", "contract", "city", "region", "village",
    "library", "harbor", "bridge", "forest", "museum", "railway",
)  # fmt: skip


@dataclass
class Item:
    """What must be stored of an item."""

    native_id: str
    title: str  # the text, of a post
    removed: float | None = None  # the time (monotonic) at which that was certain
    shown: bool = False  # it was seen at a reader
    published: float = field(default_factory=time.monotonic)


class Farm:
    """Feeds and accounts; `items` is the truth, by native id."""

    def __init__(self, feeds: int, accounts: int, seed: int, *, every: float = 0.4) -> None:
        self.publisher = Publisher(feeds=0)
        self.publisher.feeds = {f"farm{n}": Feed(f"farm{n}", f"Farm {n}") for n in range(feeds)}
        self.upstream = SimulatedUpstream(empty=True, rate_limit=10_000_000)
        self.accounts = [self.upstream.world.add_account(f"farm_{n}") for n in range(accounts)]
        self.items: dict[str, Item] = {}
        self.lock = threading.Lock()
        self._posts: dict[str, Post] = {}
        self._random = random.Random(seed)
        self._every = every
        self._count = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._publish_on, name="farm", daemon=True)
        self._removing: list[str] = []
        self.calm = False  # only publish: readers may not serve from their caches what was edited or removed since

    def __enter__(self) -> Self:
        self.publisher.start()
        self.upstream.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.rest()
        self.upstream.stop()
        self.publisher.stop()

    def begin(self) -> None:
        """Publish from now on."""
        self._thread.start()

    def rest(self) -> None:
        """Publish nothing more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def addresses(self) -> list[str]:
        """Return what to follow."""
        feeds = [self.publisher.url(f"/good/{name}.xml") for name in self.publisher.feeds]
        return [*feeds, *(f"@{account.username}" for account in self.accounts)]

    def remove_some(self, remove: Callable[[str], bool]) -> bool:
        """Remove the items that were chosen for that; return whether all are certain to be removed.

        `remove` returns whether it is certain for an item.
        """
        with self.lock:
            removing = list(self._removing)
        for native_id in removing:
            if remove(native_id):
                with self.lock:
                    self._removing.remove(native_id)
                    self.items[native_id].removed = time.monotonic()
        return not self._removing

    def asked(self) -> dict[str, float]:
        """Return when each feed was last asked for (monotonic), by path."""
        paths = [f"/good/{name}.xml" for name in self.publisher.feeds]
        return {path: self.publisher.last_hit.get(path, 0.0) for path in paths}

    @property
    def removing(self) -> int:
        """The number of items whose removal isn't certain yet."""
        return len(self._removing)

    def delete_post(self) -> None:
        """Have an account delete one of its posts."""
        with self.lock:
            shown = [id_ for id_ in self._posts if self.items[id_].shown and id_ not in self._removing][-_RECENT:]
            if shown:
                native_id = self._random.choice(shown)
                self.upstream.world.delete(self._posts.pop(native_id))
                self._removing.append(native_id)

    def is_post(self, native_id: str) -> bool:
        """Return whether an item belongs to an account."""
        return native_id.isdigit()

    def _publish_on(self) -> None:
        while not self._stopping.wait(self._every):
            lot = self._random.random()
            feed = self._random.choice(list(self.publisher.feeds.values()))
            if lot < 0.55:
                self.publish_in(feed)
            elif lot < 0.75 and self.accounts:
                self._publish_post(self._random.choice(self.accounts))
            elif self.calm:
                self.publish_in(feed)
            elif lot < 0.92:
                self._edit(feed)
            else:
                self._choose_for_removal(feed)

    def _title(self) -> str:
        self._count += 1
        return f"{' '.join(self._random.choices(_WORDS, k=7))} {self._random.randrange(16**8):08x} {self._count}"

    def publish_in(self, feed: Feed) -> None:
        """Publish an item in a feed."""
        with self.lock:
            title = self._title()
            entry = Entry(f"{feed.name}-{self._count}", title, f"{title}.", published=datetime.now(UTC))
            self.items[entry.guid] = Item(entry.guid, title)
            feed.entries = [entry, *feed.entries[: WINDOW - 1]]  # another thread may be reading the former list

    def _publish_post(self, account: Account) -> None:
        with self.lock:
            title = self._title()
            post = self.upstream.world.write(account, title)
            self._posts[str(post.id)] = post
            self.items[str(post.id)] = Item(str(post.id), title)

    def _edit(self, feed: Feed) -> None:
        """Edit an entry, also one that an editor has hidden: it must stay hidden."""
        with self.lock:
            recent = feed.entries[:_RECENT]
            if recent:
                entry = self._random.choice(recent)
                entry.title = self._title()
                entry.text = f"{entry.title}."
                self.items[entry.guid].title = entry.title

    def _choose_for_removal(self, feed: Feed) -> None:
        with self.lock:
            recent = [self.items[entry.guid] for entry in feed.entries[:_RECENT]]
            shown = [item.native_id for item in recent if item.shown and item.removed is None]
            if shown and (native_id := self._random.choice(shown)) not in self._removing:
                self._removing.append(native_id)
