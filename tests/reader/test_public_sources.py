"""Check that no public output contains a feed's address or an error's text: both may hold secrets."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from sqlalchemy import text

from aggregator.config.portal_folder import Configuration
from aggregator.domain.activity import ActivityKind
from aggregator.reader.public_sources import site_of
from aggregator.reader.visibility import PUBLIC, Audience
from aggregator.sources.rss.parse import normalise
from tests.building import a_source, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.test_authentication import a_token, by

if TYPE_CHECKING:
    from collections.abc import Iterator

    from storage.store import Store
    from tests.reader.serving import Reader

ADDRESSES = {
    "key": ("rss", "https://news.example/feed?key=HUSH-query"),
    "calendar": ("calendar", "https://calendar.example/ical/HUSH-path/basic.ics"),
    "password": ("rss", "https://ana:HUSH-word@paper.example/feed"),
    "internal": ("rss", "http://hush-host.corp.example:8080/feed"),
    "search": ("twitter", "search:from:HUSH-account"),
}
DETAIL = (
    "hush-host.corp.example:8080 resolves to 10.20.30.40 (HUSH-detail); GET https://news.example/feed?key=HUSH-query"
)
SECRETS = ("hush-", "10.20.30.40", "corp.example")
PATHS = (
    *("/", "/?kind=article", "/?source=key", "/?q=title", "/docs", "/openapi.json", "/embed", "/embed/items"),
    *("/api/v1/activities", "/api/v1/activities?source=calendar", "/api/v1/activities/1", "/api/v1/facets"),
    *("/api/v1/sources", "/api/v1/changes", "/api/v1/changes?after=0&limit=1000", "/healthz", "/readyz"),
    *("/feed.rss", "/feed.atom", "/feed.json", "/feed.as2", "/feed.as2?page=first", "/events.ics"),
    *("/activities/1", "/activities/1.as2", "/activities/1/card", "/activities/999", "/nowhere"),
    *(
        "/api/v1/activities?source=none",
        "/api/v1/activities?limit=none",
        "/api/v1/activities/999",
        "/feed.rss?source=none",
    ),
)


def fill(store: Store) -> None:
    """Add sources with secrets in their addresses: failing, stopped and paused."""
    for slug, (kind, address) in ADDRESSES.items():
        source = add_source(store, slug, kind, address=address, name=f"Source {slug}")
        ingest_now(store, source, [an_activity(slug), an_activity(f"{slug}-event", kind=ActivityKind.EVENT)])
    with store.engine.connect().execution_options(writing=True) as connection, connection.begin():
        failed = "UPDATE source SET failures = 5, last_error = :said, last_error_code = 'forbidden-address'"
        connection.execute(text(failed), {"said": DETAIL})
        for slug, state in (("password", "stopped"), ("search", "paused")):
            changed = "UPDATE source SET state = :state, state_reason = :said WHERE slug = :slug"
            connection.execute(text(changed), {"state": state, "said": DETAIL, "slug": slug})


@contextmanager
def public(store: Store, audience: Audience = PUBLIC) -> Iterator[Reader]:
    with serving(app_of(store, audience=audience, configuration=Configuration(None))) as reader:
        yield reader


@pytest.mark.parametrize(
    "audience", [PUBLIC, Audience(consents=frozenset({"x"}))], ids=["ids-of-x-only", "text-of-x-too"]
)
def test_no_public_output_holds_an_address_or_an_error_sentence(sqlite_store: Store, audience: Audience) -> None:
    fill(sqlite_store)
    found = {}
    with public(sqlite_store, audience) as reader:
        for path in PATHS:
            for accept in ("*/*", "text/html"):
                answer = reader.ask(path, headers={"Accept": accept})
                messages = answer.text.lower() + str(answer.headers).lower()
                found[path, accept] = [secret for secret in SECRETS if secret in messages]
        sources = reader.ask("/api/v1/sources").json["items"]
        stale = reader.ask("/api/v1/activities").json["stale_sources"]
        page = reader.ask("/?kind=article").text
    assert {at: secrets for at, secrets in found.items() if secrets} == {}
    assert {(item["address"], item["error_code"], item["last_error"]) for item in sources} == {
        (None, "forbidden-address", "It could not be read.")
    }
    assert {(item["code"], item["reason"]) for item in stale} == {("forbidden-address", "It could not be read.")}
    assert "It could not be read." in page


def test_the_portal_page_holds_none_either(sqlite_store: Store) -> None:
    fill(sqlite_store)
    with serving(app_of(sqlite_store, audience=PUBLIC, configuration=Configuration(Path("config")))) as reader:
        activities = reader.ask("/").text.lower() + reader.ask("/?topic=open-data").text.lower()
    assert [secret for secret in SECRETS if secret in activities] == []


def test_a_token_shows_addresses_and_error_sentences(sqlite_store: Store) -> None:
    fill(sqlite_store)
    token = a_token(sqlite_store)
    with public(sqlite_store) as reader:
        answer = reader.ask("/api/v1/sources", headers=by(token))
        changed = reader.ask("/api/v1/changes?limit=1000", headers=by(token)).json["changes"]
        stale = reader.ask("/api/v1/activities", headers=by(token)).json["stale_sources"]
        refused = reader.ask("/api/v1/sources", headers=by(token[:-1] + "-"))
    items = {item["slug"]: item for item in answer.json["items"]}
    assert (items["key"]["address"], items["key"]["last_error"]) == (ADDRESSES["key"][1], DETAIL)
    assert items["password"]["state_reason"] == DETAIL
    assert answer.headers["cache-control"].startswith("private")
    assert "Authorization" in answer.headers["vary"]
    assert {item["source"]["address"] for item in changed if item["type"] == "source"} == {
        address for _, address in ADDRESSES.values()
    }
    assert {item["reason"] for item in stale} == {DETAIL}
    assert refused.status == 401


@pytest.mark.parametrize(
    ("address", "site"),
    [
        ("https://news.example/feed?key=SECRET", "https://news.example/"),
        ("https://ana:word@paper.example/feed", "https://paper.example/"),
        ("http://news.example:80/feed", "http://news.example/"),
        ("@opengovpart", "https://x.com/opengovpart"),
        ("search:from:opengovpart", None),
        ("desk:", None),
        ("http://10.0.0.5/feed", None),
        ("http://[fd00::1]/feed", None),
        ("https://news.example:8443/feed", None),
        ("https://intranet/feed", None),
        ("https://news.intranet.example/feed", None),
        ("https://printer.local/feed", None),
        ("https://[broken/feed", None),
    ],
    ids=lambda value: quote(value, safe="") if value else "none",
)
def test_a_site_is_the_public_home_page_alone(address: str, site: str | None) -> None:
    kind = "twitter" if address.startswith("@") else "rss"
    assert site_of(a_source(kind=kind, address=address)) == site


ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom">
<id>urn:1</id><title>F</title><updated>2026-03-02T12:00:00Z</updated>
<entry><id>urn:2</id><title>E</title><link href="#part"/><updated>2026-03-02T12:00:00Z</updated>
<content type="html">&lt;a href="#note"&gt;note&lt;/a&gt; &lt;a href="?page=2"&gt;two&lt;/a&gt;</content>
</entry></feed>"""


def test_what_is_relative_in_a_feed_does_not_take_over_the_key_of_its_address() -> None:
    read = normalise(ATOM, "application/atom+xml", "https://news.example/feed?key=HUSH-query", "")
    (content,) = [item.content for item in read.activities]
    assert content.url == "https://news.example/feed"
    assert "https://news.example/feed?page=2" in content.html
    assert "HUSH" not in str(content)
