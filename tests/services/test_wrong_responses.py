"""Test wrong responses with a 200 over real HTTP: every planted one is found, and ordinary changes are not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.monitoring.incidents import IncidentKind
from aggregator.domain.source import SourceState
from aggregator.services.incidents import attend_incidents, incident_conditions
from tests.building import NOON, add_source
from tests.upstream import Publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from storage.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAGES = {
    "login": "<!doctype html><html><head><title>Sign in</title></head><body><input type=password></body></html>",
    "parking": "<!doctype html><html><head><title>This domain is for sale</title></head><body>Buy it</body></html>",
    "captive": "<html><head><title>Network login</title></head><body>Accept the terms</body></html>",
}


@dataclass(frozen=True)
class Paper:
    """A feed of a newspaper at one time."""

    now: datetime
    items: int = 12
    first: int = 0  # the number of the oldest item
    language: str | None = "en"
    site: str = "https://paper.example"
    title: str | None = None  # of all items
    text: str = "Some text of this item, which is long enough for a newspaper. " * 10
    built: datetime | None = None
    shifted: timedelta = timedelta()  # of the items' dates
    page: str | None = None

    def body(self) -> bytes:
        if self.page is not None:
            return self.page.encode()
        numbers = range(self.first + self.items, self.first, -1)
        items = "".join(
            f"<item><guid isPermaLink='false'>{number}</guid><title>{self.title or f'Item {number}'}</title>"
            f"<link>{self.site}/{number}</link><description>{self.text}</description>"
            f"<pubDate>{format_datetime(NOON + (number - 12) * DAY - self.shifted)}</pubDate></item>"
            for number in numbers
        )
        language = f"<language>{self.language}</language>" if self.language else ""
        built = format_datetime(self.built or self.now)
        return (
            f"<?xml version='1.0' encoding='utf-8'?><rss version='2.0'><channel><title>Paper</title>{language}"
            f"<link>{self.site}/</link><description>News</description><lastBuildDate>{built}</lastBuildDate>"
            f"{items}</channel></rss>"
        ).encode()


Change = tuple["Callable[[Paper], Paper]", str]
WRONG: dict[str, Change] = {
    "all-items-vanished": (lambda paper: replace(paper, items=0), "empty"),
    "all-items-vanished-in-another-language": (lambda paper: replace(paper, items=0, language="de"), "empty"),
    "one-short-item-left": (lambda paper: replace(paper, items=1, text="Gone."), "shrunk"),
    "texts-cut-to-nothing": (lambda paper: replace(paper, items=2, text=""), "shrunk"),
    "error-as-an-item": (lambda paper: replace(paper, items=1, text="", title="Database error"), "shrunk"),
    "two-empty-items": (lambda paper: replace(paper, items=2, text="", title="-"), "shrunk"),
    "all-titles-untitled": (lambda paper: replace(paper, title="Untitled"), "titles"),
    "all-titles-an-error": (lambda paper: replace(paper, title="Access denied"), "titles"),
    "all-titles-a-template": (lambda paper: replace(paper, title="{{ title }}"), "titles"),
    "links-to-a-casino": (lambda paper: replace(paper, site="https://casino.example"), "site"),
    "links-to-localhost": (lambda paper: replace(paper, site="http://localhost:8080"), "site"),
    "links-to-an-address": (lambda paper: replace(paper, site="http://192.0.2.7"), "site"),
    "links-to-a-domain-seller": (lambda paper: replace(paper, site="https://www.sedo.test"), "site"),
    "another-language": (lambda paper: replace(paper, language="ru"), "language"),
    "another-language-and-region": (lambda paper: replace(paper, language="pt-BR"), "language"),
    "an-old-backup": (lambda paper: replace(paper, shifted=60 * DAY, text="Restored."), "older"),
    "an-old-cache": (lambda paper: replace(paper, shifted=400 * DAY), "older"),
    "built-daily-without-items": (lambda paper: replace(paper, built=paper.now + 40 * DAY), "newest"),
    "a-login-page": (lambda paper: replace(paper, page=PAGES["login"]), "page"),
    "a-parking-page": (lambda paper: replace(paper, page=PAGES["parking"]), "page"),
    "a-captive-portal": (lambda paper: replace(paper, page=PAGES["captive"]), "page"),
}
ORDINARY: dict[str, Callable[[Paper], Paper]] = {
    "nothing-new": lambda paper: paper,
    "growth": lambda paper: replace(paper, items=60, first=paper.first - 48),
    "rotation": lambda paper: replace(paper, first=paper.first + 6),
    "half-as-many": lambda paper: replace(paper, items=6),
    "a-third-as-many": lambda paper: replace(paper, items=4),
    "excerpts-for-texts": lambda paper: replace(paper, text=paper.text[:120]),
    "subdomain": lambda paper: replace(paper, site="https://www.paper.example"),
    "http": lambda paper: replace(paper, site="http://paper.example"),
    "region": lambda paper: replace(paper, language="en-GB"),
    "no-language": lambda paper: replace(paper, language=None),
    "fixed-typos": lambda paper: replace(paper, text=paper.text.replace("item", "article")),
    "longer-texts": lambda paper: replace(paper, text=paper.text * 5),
    "rebuilt": lambda paper: replace(paper, built=paper.now + HOUR),
    "clock-of-the-publisher": lambda paper: replace(paper, built=paper.now + 3 * DAY),
    "corrected-dates": lambda paper: replace(paper, shifted=6 * HOUR),
    "one-titled-alike": lambda paper: replace(paper, items=2, title="Untitled"),
}


class Press:
    """An installation that follows newspapers, whose publisher and clock the test moves."""

    def __init__(self, store: Store, folder: Path, publisher: Publisher) -> None:
        self.now = NOON
        self.store, self.publisher = store, publisher
        environ = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_DATABASE_URL": store.engine.url.render_as_string(hide_password=False),
            "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
            "AGGREGATOR_HOST_SPACING": "0",
        }
        self.container = Container(Settings.from_environment(environ), lambda: self.now)
        self.ids: dict[str, int] = {}

    def follow(self, *names: str) -> None:
        for name in names:
            url = self.publisher.url(f"/{name}.xml")
            self.ids[name] = add_source(self.store, name, address=url, host=self.publisher.host).id

    def publish(self, change: Callable[[str, Paper], Paper], first: int) -> None:
        for name in self.ids:
            paper = change(name, Paper(self.now, first=first))
            kind = "text/html" if paper.page else "application/rss+xml"
            self.publisher.serve(f"/{name}.xml", paper.body(), kind)

    def poll(self) -> None:
        self.now += DAY
        self.container.polling.poll_now(list(self.ids.values()))

    def usual(self) -> None:
        """Let days pass, with a new item at every poll."""
        for number in range(6):
            self.publish(lambda _, paper: paper, number)
            self.poll()

    def alerted(self) -> dict[str, str]:
        """Return the sentences of open alerts about wrong responses by source."""
        found = {}
        for now in (self.now, self.now + 2 * HOUR):
            with self.store.writing(lock_stream=False) as tx:
                attend_incidents(tx, now)
                conditions = [*incident_conditions(tx, now)]
                found = {each.subject: each.sentence for each in conditions if each.kind == IncidentKind.WRONG.value}
        return found

    def signs(self) -> dict[str, str]:
        with self.store.reading() as tx:
            wrong = tx.monitoring.incidents.open(IncidentKind.WRONG)
        return {incident.subject.removeprefix("source:"): str(incident.evidence["sign"]) for incident in wrong}


@pytest.fixture
def press(store: Store, tmp_path: Path) -> Iterator[Press]:
    with Publisher() as publisher:
        press = Press(store, tmp_path, publisher)
        yield press
        press.container.close()


def test_every_planted_wrong_response_is_found_and_ends(press: Press) -> None:
    press.follow(*WRONG, *ORDINARY)
    press.usual()
    assert press.alerted() == {}

    press.publish(lambda name, paper: WRONG[name][0](paper) if name in WRONG else ORDINARY[name](paper), 6)
    press.poll()
    press.poll()  # a page counts from the second time on
    sentences = press.alerted()
    assert press.signs() == {name: sign for name, (_, sign) in WRONG.items()}
    assert len(sentences) == len(WRONG) >= 20
    assert all(sentence.strip() for sentence in sentences.values())

    press.publish(lambda _, paper: paper, 7)
    press.poll()
    assert press.alerted() == {}


def test_a_new_form_is_adopted_after_two_weeks(press: Press) -> None:
    press.follow("moved")
    press.usual()
    for day in range(16):
        press.publish(lambda _, paper: replace(paper, site="https://new.example"), 6 + day)
        press.poll()
        assert press.signs() == ({"moved": "site"} if day < 15 else {})


def test_a_brief_fault_sends_no_alert(press: Press) -> None:
    press.follow("paper")
    press.usual()
    press.publish(lambda _, paper: replace(paper, items=0), 6)
    press.poll()
    with press.store.writing(lock_stream=False) as tx:
        attend_incidents(tx, press.now)
        assert list(incident_conditions(tx, press.now)) == []
    assert press.signs() == {"paper": "empty"}
    press.publish(lambda _, paper: paper, 6)
    press.poll()
    assert press.signs() == {}


def test_a_removed_source_has_no_incident(press: Press) -> None:
    press.follow("paper")
    press.usual()
    press.publish(lambda _, paper: replace(paper, items=0), 6)
    press.poll()
    assert press.alerted()
    with press.store.writing() as tx:
        source = tx.polling.sources.get("paper")
        assert source is not None
        tx.polling.sources.set_state(source.id, SourceState.REMOVED, "test", press.now)
    assert press.alerted() == {}
