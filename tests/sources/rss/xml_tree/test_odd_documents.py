"""Read well-formed documents that follow no specification to the letter, as their publishers mean them."""

from __future__ import annotations

import base64

import pytest

from aggregator.sources.rss.parse import normalise

URL = "https://paper.example/feed"
ITEM = "<item><guid isPermaLink='false'>1</guid><title>One</title><link>https://paper.example/1</link></item>"


def titles(body: str) -> list[str | None]:
    return [activity.content.title for activity in normalise(body.encode(), "application/xml", URL).activities]


def rss(inner: str, attributes: str = "") -> str:
    return f'<rss version="2.0" {attributes}><channel><title>Paper</title>{inner}</channel></rss>'


def atom(inner: str, attributes: str = 'xmlns="http://www.w3.org/2005/Atom"') -> str:
    return f"<feed {attributes}><title>Paper</title><entry><id>1</id>{inner}</entry></feed>"


@pytest.mark.parametrize(
    "body",
    [
        f"<rss version='2.0'>{ITEM}</rss>",
        f"<rss version='2.0'><channel><title>P</title></channel>{ITEM}</rss>",
        f"<rss version='2.0'><channel><title>P</title></channel><channel>{ITEM}</channel></rss>",
        rss(ITEM, 'xmlns="http://backend.userland.com/rss2"'),
        rss(ITEM, 'xmlns="urn:of-our-own"'),
        f'<rss version="2.0"><channel xmlns="urn:of-our-own"><title>P</title>{ITEM}</channel></rss>',
        f'<RSS version="2.0"><Channel><Title>P</Title>{ITEM.replace("item", "Item")}</Channel></RSS>',
        f'<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http:/purl.org/rss/1.0/">{ITEM}</r:RDF>',
        atom("<title>One</title>", 'xmlns="http://purl.org/atom/ns#" version="0.3"'),
        atom("<title>One</title>", ""),
        '<entry xmlns="http://www.w3.org/2005/Atom"><id>1</id><title>One</title></entry>',
    ],
    ids=[
        "no-channel",
        "beside",
        "second-channel",
        "userland",
        "own",
        "own-inside",
        "upper",
        "rdf",
        "0.3",
        "bare",
        "single",
    ],
)
def test_entries_are_found(body: str) -> None:
    assert titles(body) == ["One"]


@pytest.mark.parametrize(
    ("prefix", "uri"),
    [
        ("content", "http://purl.org/rss/1.0/modules/content"),
        ("content", "http://purl.org/rss/modules/content/"),
        ("c", "HTTP://PURL.ORG/rss/1.0/modules/content/"),
    ],
)
def test_a_misspelled_namespace_counts_as_that_of_its_prefix(prefix: str, uri: str) -> None:
    item = f"<item><guid>1</guid><{prefix}:encoded>&lt;p&gt;Whole&lt;/p&gt;</{prefix}:encoded></item>"
    (activity,) = normalise(rss(item, f'xmlns:{prefix}="{uri}"').encode(), "application/xml", URL).activities
    assert activity.content.text == "Whole"


@pytest.mark.parametrize("name", ["description", "content:encoded", "body", "fullitem"])
def test_markup_that_is_not_escaped_is_markup(name: str) -> None:
    inner = f"<{name}><p>Read <b>all</b> &amp; more</p><p>Twice</p></{name}>"
    body = rss(f"<item><guid>1</guid>{inner}</item>", 'xmlns:content="http://purl.org/rss/1.0/modules/content/"')
    (activity,) = normalise(body.encode(), "application/xml", URL).activities
    assert activity.content.html == "<p>Read <b>all</b> &amp; more</p><p>Twice</p>"
    assert activity.content.text == "Read all & more\nTwice"


def test_markup_in_titles_is_not_shown() -> None:
    assert titles(rss("<item><guid>1</guid><title>Of <i>all</i> &amp; none</title></item>")) == ["Of all & none"]
    assert titles(atom('<title type="html">Of <i>all</i></title>')) == ["Of all"]


@pytest.mark.parametrize(
    ("attributes", "shown"),
    [
        ('mode="escaped" type="text/html"', "Bold"),
        ('mode="base64" type="text/html"', "Bold"),
        ('type="text/x-markdown"', "<b>Bold</b>"),
        ('type="text/html; charset=utf-8"', "Bold"),
        ('type="application/vnd.example+xml"', "Bold"),
        ('type="image/png"', ""),
    ],
)
def test_texts_of_atom_are_read_by_type_and_mode(attributes: str, shown: str) -> None:
    text = base64.b64encode(b"<b>Bold</b>").decode() if "base64" in attributes else "&lt;b&gt;Bold&lt;/b&gt;"
    body = atom(f"<title>T</title><content {attributes}>{text}</content>")
    (activity,) = normalise(body.encode(), "application/xml", URL).activities
    assert (activity.content.text or "") == shown


def test_of_several_titles_the_first_counts() -> None:
    item = ITEM.replace("<link>", "<dc:title>Other</dc:title><title>Third</title><link>")
    head = "<image><title>Logo</title><url>/i.png</url></image><title>Late</title>"
    feed = normalise(rss(head + item, 'xmlns:dc="http://purl.org/dc/elements/1.1/"').encode(), "application/xml", URL)
    assert (feed.title, [activity.content.title for activity in feed.activities]) == ("Paper", ["One"])


def test_what_a_source_element_says_is_not_the_entry() -> None:
    source = "<source><id>s</id><title>Origin</title><link href='https://origin.example/'/><x><y/></x></source>"
    body = atom(f"{source}<link href='https://paper.example/1'/><title>One</title>")
    (activity,) = normalise(body.encode(), "application/xml", URL).activities
    assert (activity.content.title, activity.content.url) == ("One", "https://paper.example/1")


def test_a_podcast_author_of_google_is_known() -> None:
    body = rss(
        "<googleplay:author>Radio</googleplay:author>" + ITEM,
        'xmlns:googleplay="http://www.google.com/schemas/play-podcasts/1.0"',
    )
    (activity,) = normalise(body.encode(), "application/xml", URL).activities
    assert activity.content.actor is not None
    assert activity.content.actor.name == "Radio"


@pytest.mark.parametrize("damage", ["", "<b>"], ids=["tree", "feedparser"])
@pytest.mark.parametrize(
    "own", ["", "<title/><description></description>", "<title> </title><description>\n</description>"]
)
def test_texts_of_media_rss_stand_in_for_empty_ones(own: str, damage: str) -> None:
    texts = "<media:title/><media:title>M</media:title><media:description/><media:description>Words</media:description>"
    body = rss(f"<item><guid>1</guid>{own}{texts}</item>{damage}", 'xmlns:media="http://search.yahoo.com/mrss/"')
    (activity,) = normalise(body.encode(), "application/xml", URL).activities
    assert (activity.content.title, activity.content.text) == ("M", "Words")
