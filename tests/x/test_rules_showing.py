"""Test requirements 18 and 19: how and where posts on X are displayed, and that each appears once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.activity import ActivityKind, Actor, Media, Review
from aggregator.domain.stream import Query
from aggregator.reader.visibility import PUBLIC
from aggregator.web.picture_addresses import picture_digest
from tests.building import NOON, add_source, an_activity, decide, ingest_now
from tests.reader.conftest import app_of
from tests.reader.serving import serving
from tests.reader.specimens import HUB, OGP, POWELL, about, tweet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aggregator.domain.activity import NewActivity
    from storage.store import Store
    from tests.reader.serving import Reader

PICTURED = replace(HUB, avatar="https://pictures.example/hub")
TEXT = "Long words of an original, with a link: example.org/plan"
HTML = 'Long words of an original, with a link: <a href="https://t.co/abc" rel="nofollow noopener">example.org/plan</a>'


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def post(number: int, actor: Actor = PICTURED, kind: ActivityKind = ActivityKind.POST, **more: Any) -> NewActivity:
    return tweet(str(number), kind, TEXT, HTML, NOON - minutes(1000 - number), actor, **more)


def repost(number: int, original: NewActivity, actor: Actor) -> NewActivity:
    activity = tweet(str(number), ActivityKind.REPOST, "", "", NOON - minutes(1000 - number), actor)
    return about(activity, original)


@pytest.fixture
def public(store: Store) -> Iterator[Reader]:
    with serving(app_of(store, audience=PUBLIC)) as reader:
        yield reader


@pytest.fixture
def page(sqlite_store: Store) -> Iterator[Reader]:
    with serving(app_of(sqlite_store, audience=PUBLIC)) as reader:
        yield reader


def card_of(html: str, number: int) -> str:
    return next(card for card in html.split("<article")[1:] if f"/status/{number}" in card).split("</article>")[0]


# 18: display and redistribution


@pytest.mark.parametrize("kind", [ActivityKind.POST, ActivityKind.REPLY, ActivityKind.QUOTE])
def test_x_18_a_post_is_displayed_by_the_rules(sqlite_store: Store, page: Reader, kind: ActivityKind) -> None:
    activity = post(500, kind=kind, edited=True)
    ingest_now(
        sqlite_store,
        add_source(sqlite_store),
        [about(activity, post(400, POWELL)) if kind is ActivityKind.QUOTE else activity],
    )
    card = card_of(page.ask("/").text, 500)
    profile = 'href="https://x.com/OpenGovHub"'
    assert card.index(f"version={picture_digest('https://pictures.example/hub')}") < card.index(
        "OpenGov Hub</bdi>"
    )  # the picture is on the left
    assert re.search(rf"{profile}[^>]*><bdi>OpenGov Hub</bdi>", card)
    assert re.search(rf"{profile}[^>]*><bdi>@OpenGovHub</bdi>", card)
    assert HTML in card  # unmodified; display_url as the text of a t.co link
    assert re.search(r'<a href="https://x.com/OpenGovHub/status/500"[^>]*>\s*<time', card)  # the time leads to the post
    assert re.search(r"View on X\b", card)
    assert "edited" in card
    assert "on X" in card
    if kind is ActivityKind.QUOTE:
        assert re.search(r'href="https://x.com/josephpowell"[^>]*><bdi>Joseph Powell</bdi>', card)
        assert re.search(r'href="https://x.com/josephpowell"[^>]*><bdi>@josephpowell</bdi>', card)


def test_x_18_a_repost_says_by_whom(sqlite_store: Store, page: Reader) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [repost(500, post(400), OGP)])
    card = card_of(page.ask("/").text, 500)
    reposter = r'href="https://x.com/opengovpart"[^>]*><bdi>Open Government Partnership</bdi></a> retweeted'
    assert re.search(rf'<svg class="icon[ "].*{reposter}', card, re.DOTALL)
    assert re.search(r'href="https://x.com/OpenGovHub"[^>]*><bdi>@OpenGovHub</bdi>', card)
    assert 'href="https://x.com/OpenGovHub/status/400"' in card
    assert HTML in card


def test_x_18_a_repost_with_cut_words_does_not_claim_that_the_original_is_gone(
    sqlite_store: Store, page: Reader
) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [post(500, kind=ActivityKind.REPOST, complete=False)])
    card = card_of(page.ask("/").text, 500)
    assert "This is an excerpt." in card
    assert "available" not in card


def test_x_18_a_quote_tells_of_what_it_quotes_or_that_it_is_missing(sqlite_store: Store, page: Reader) -> None:
    whole = about(post(500, kind=ActivityKind.QUOTE), post(400, POWELL, edited=True))
    missing = replace(post(600, kind=ActivityKind.QUOTE), object_key="x:450")
    ingest_now(sqlite_store, add_source(sqlite_store), [whole, missing])
    html = page.ask("/").text
    assert "edited" in card_of(html, 500).split("<blockquote")[1].split("</blockquote>")[0]
    assert "The quoted post is not available." in card_of(html, 600)
    assert "not available" not in card_of(html, 500)


def test_x_18_a_public_api_gives_ids_and_addresses_alone(store: Store, public: Reader) -> None:
    secret = Media("image", "https://pictures.example/secret.png", alt="Secret alt")
    original = post(400, POWELL, media=(secret,), hashtags=("secrettag",))
    article = an_activity("news", published=NOON)
    ingest_now(store, add_source(store), [repost(500, original, OGP), post(600, withheld=("DE",)), article])
    given = public.ask("/api/v1/activities")
    for words in ("Long words", "secret", "Secret", 'josephpowell"', "OpenGov Hub", "pictures.example", "t.co"):
        assert words not in given.text
    news, later, earlier = given.json["items"]
    assert (news["content_withheld"], news["text"] != "") == (False, True)
    assert (later["native_id"], later["url"]) == ("600", "https://x.com/OpenGovHub/status/600")
    assert (later["content_withheld"], later["withheld_in"], later["actor"]) == (True, ["DE"], None)
    assert earlier["object"]["native_id"] == "400"
    assert earlier["object"]["url"] == "https://x.com/josephpowell/status/400"
    assert (earlier["object"]["content_withheld"], earlier["object"]["text"]) == (True, "")
    single = public.ask(f"/api/v1/activities/{later['id']}")
    assert "Long words" not in single.text
    assert "Long words" in public.ask("/").text  # display on our own page is another matter


def test_x_09_a_reader_can_leave_out_what_is_withheld_somewhere(store: Store, public: Reader) -> None:
    activities = [post(500 + n, withheld=("DE", "FR") if n % 3 == 0 else ()) for n in range(30)]
    ingest_now(store, add_source(store), activities)
    found, cursor = [], ""
    while True:
        given = public.ask(f"/api/v1/activities?limit=4&not_withheld_in=de{cursor}").json
        found += [item["native_id"] for item in given["items"]]
        if given["next"] is None:
            break
        assert len(given["items"]) == 4
        cursor = f"&cursor={given['next']}"
    assert found == [str(500 + n) for n in reversed(range(30)) if n % 3]
    refused = public.ask("/api/v1/activities?not_withheld_in=Germany")
    assert (refused.status, "two-letter" in refused.text) == (400, True)


# 19: once


def test_x_19_reposts_of_one_original_are_one_entry_that_names_the_others(store: Store, public: Reader) -> None:
    original = post(400)
    source = add_source(store)
    ingest_now(store, source, [original, repost(500, original, POWELL), post(550, POWELL), repost(600, original, OGP)])
    items = public.items()
    assert [item["native_id"] for item in items] == ["400", "550"]
    assert [repost["native_id"] for repost in items[0]["also_reposted_by"]] == ["600", "500"]
    assert items[0]["also_reposted_by"][0]["actor"] is None
    reposts = public.items("?collapse=original")
    assert [item["native_id"] for item in reposts] == ["600", "550"]
    assert [repost["native_id"] for repost in reposts[0]["also_reposted_by"]] == ["500"]
    assert [item["native_id"] for item in public.items("?stitch=no")] == ["600", "550", "500", "400"]
    html = public.ask("/").text
    assert re.search(
        r'Reposted by .* and <a href="https://x.com/josephpowell"[^>]*><bdi>Joseph Powell</bdi></a></p>', html
    )


def test_x_19_when_the_one_shown_goes_another_takes_its_place(store: Store, public: Reader) -> None:
    original = post(400)
    ingest_now(store, add_source(store), [repost(500, original, POWELL), repost(600, original, OGP)])
    with store.reading() as tx:
        [shown] = tx.stream.activities.page(Query()).items
    decide(store, [shown.id], Review.HIDDEN)
    [item] = public.items()
    assert (item["native_id"], item["also_reposted_by"]) == ("500", [])


@pytest.mark.parametrize("size", [1, 3, 20, 100])
def test_x_19_pages_skip_and_repeat_nothing(store: Store, public: Reader, size: int) -> None:
    originals = [post(number) for number in range(300, 306)]
    activities = [
        repost(400 + n, originals[n * n % 6], (OGP, POWELL, HUB)[n % 3]) if n % 2 else post(400 + n) for n in range(120)
    ]
    ingest_now(store, add_source(store), activities)
    pages, cursor = [], ""
    while True:
        given = public.ask(f"/api/v1/activities?limit={size}{cursor}").json
        pages += given["items"]
        if given["next"] is None:
            break
        cursor = f"&cursor={given['next']}"
    whole = public.ask("/api/v1/activities?limit=100").json["items"]
    assert pages[: len(whole)] == whole
    shown = [item["native_id"] for item in pages]
    named = [repost["native_id"] for item in pages for repost in item["also_reposted_by"]]
    assert len({*shown, *named}) == len(shown) + len(named)
    assert {str(400 + n) for n in range(0, 120, 2)} <= set(shown)  # all items but reposts
    assert len(named) > 6


def test_x_19_the_native_ids_stay(store: Store) -> None:
    original = post(400)
    ingest_now(store, add_source(store), [original, repost(500, original, POWELL), repost(600, original, OGP)])
    with store.reading() as tx:
        alone = tx.stream.activities.page(Query(stitch=False)).items
    assert [item.native_id for item in alone] == ["600", "500", "400"]
