"""Test the pages in several languages: addresses, negotiation, caches, and texts that are not translated."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from lxml import html

from aggregator.config.portal_folder import Configuration
from aggregator.domain.errors import ConfigurationError
from aggregator.domain.languages import PSEUDO
from aggregator.reader.languages import without_language
from storage.store import Store
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import app_of
from tests.reader.multilingual import PAGES, fill_in_languages, write_site
from tests.reader.serving import publishing_pictures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.reader.serving import Answer, Reader

BROWSER = {"Accept": "text/html"}


@pytest.fixture
def site(sqlite_store: Store, tmp_path: Path) -> Iterator[Reader]:
    """Serve a site in English, French and Arabic."""
    with publishing_pictures() as pictures:
        fill_in_languages(sqlite_store, pictures)
        with serving(app_of(sqlite_store, configuration=Configuration(write_site(tmp_path)))) as reader:
            yield reader


def language_of(page: Answer) -> str:
    found = re.search(r'<html lang="([^"]+)" dir="(ltr|rtl)"', page.text)
    assert found is not None
    assert page.headers["content-language"] == found[1]
    assert found[2] == ("rtl" if found[1] == "ar" else "ltr")
    return found[1]


def parsed(page: str) -> Any:
    return html.fromstring(page)


def asked(reader: Reader, path: str, languages: str = "", **headers: str) -> Answer:
    return reader.ask(path, headers={**BROWSER, "Accept-Language": languages, **headers})


@pytest.mark.parametrize("path", ["/", "/?kind=article", "/stats", "/activities/1", "/accessibility", "/embed/builder"])
def test_each_language_has_its_pages_below_its_tag(site: Reader, path: str) -> None:
    for tag in ("en", "fr", "ar"):
        page = asked(site, f"/{tag}{path}", "de, es")
        assert (page.status, language_of(page)) == (200, tag)
        assert "accept-language" not in page.headers.get("vary", "").lower()


@pytest.mark.parametrize(
    ("accepted", "tag"),
    [("", "en"), ("fr-CA, en;q=0.5", "fr"), ("ar", "ar"), ("de", "en"), ("fr;q=0, ar;q=0.1", "ar"), ("*", "en")],
)
def test_the_visitor_decides_where_the_path_does_not(site: Reader, accepted: str, tag: str) -> None:
    page = asked(site, "/?kind=article", accepted)
    assert language_of(page) == tag
    assert "Accept-Language" in page.headers["vary"]


def test_addresses_within_a_page_stay_in_its_language(site: Reader) -> None:
    found = parsed(asked(site, "/fr/?source=news").text)
    neutral = re.compile(r"/(static|site|api|pictures|avatars|favicon|apple|manifest|stats\.json|picture)")
    addresses = found.xpath("//@href | //@action | //@src | //@data-cards")
    within = {address for address in addresses if address.startswith("/") and not neutral.match(address)}
    switch = {"/en/?source=news", "/ar/?source=news"}
    assert switch <= within
    assert {address for address in within - switch if not address.startswith("/fr/")} == set()
    assert found.xpath("//link[@rel='canonical']/@href") == [f"{site.address}/fr/?source=news"]
    alternates = found.xpath("//link[@rel='alternate'][@hreflang]")
    assert {link.get("hreflang"): link.get("href") for link in alternates} == {
        **{tag: f"{site.address}/{tag}/?source=news" for tag in ("en", "fr", "ar")},
        "x-default": f"{site.address}/?source=news",
    }


def test_further_pages_keep_language_and_position(site: Reader) -> None:
    front = parsed(asked(site, "/fr/").text)
    (older,) = front.xpath("//a[@data-more]/@href")
    assert older.startswith("/fr/?cursor=")
    following = asked(site, older)
    assert (following.status, language_of(following)) == (200, "fr")
    assert f'href="/ar{older[3:]}"' in following.text.replace("&amp;", "&")


def test_the_switch_names_each_language_in_itself(site: Reader) -> None:
    found = parsed(asked(site, "/ar/stats?days=7").text)
    links = found.xpath("//nav[contains(@class, 'languages')]//a")
    assert [(link.get("href"), link.get("lang"), link.text, link.get("aria-current")) for link in links] == [
        ("/en/stats?days=7", "en", "English", None),
        ("/fr/stats?days=7", "fr", "Français", None),
        ("/ar/stats?days=7", "ar", "العربية", "true"),
    ]


def test_texts_of_the_files_are_translated(site: Reader) -> None:
    front = asked(site, "/fr/").text
    for text in ("Bureau des données ouvertes", "Dernières activités", "Tous les rendez-vous.", "Accueil"):
        assert text in front
    assert "Les informations sont ouvertes." in asked(site, "/fr/?topic=transparency").text
    statement = asked(site, "/fr/accessibility").text
    assert "La carte est sans alternative textuelle." in statement
    assert "conformément à <bdi>la loi nationale qui transpose la directive (UE) 2016/2102</bdi>" in statement
    # What is not translated stays as it is.
    assert "The map has no text alternative" in asked(site, "/ar/accessibility").text


def test_feeds_and_calendars_have_a_language(site: Reader) -> None:
    feed = site.ask("/fr/feed.atom?source=news").text
    assert "<title>News and Events - Bureau des données ouvertes</title>" in feed
    assert f'href="{site.address}/fr/feed.atom?source=news"' in feed
    assert f'href="{site.address}/fr/?source=news"' in feed
    plain = site.ask("/feed.atom?source=news", headers={"Accept-Language": "fr"})
    assert "<title>News and Events - Open Data Office</title>" in plain.text
    assert [site.ask(path).headers["content-language"] for path in ("/fr/feed.rss", "/feed.json")] == ["fr", "en"]
    ids = [re.findall(r"<id>(tag:[^<]+)</id>", text)[1:] for text in (feed, plain.text)]
    assert ids[0] == ids[1]
    assert "accept-language" not in plain.headers.get("vary", "").lower()
    assert "X-WR-CALNAME:Bureau des données ouvertes\u00a0: événements" in site.ask("/fr/events.ics").text


def test_the_api_is_in_english_and_has_no_language(site: Reader) -> None:
    assert site.ask("/fr/api/v1/activities").status == 404
    wrong = site.ask("/api/v1/activities?limit=900", headers={"Accept-Language": "fr"})
    assert wrong.json["title"] == "Bad limit"
    assert site.ask("/fr/nothing", headers={"Accept": "application/json"}).json["title"] == "Not found"


def test_error_pages_are_translated(site: Reader) -> None:
    missing = asked(site, "/fr/nothing")
    assert (missing.status, language_of(missing)) == (404, "fr")
    assert "pas de page à cette adresse." in missing.text
    wrong = asked(site, "/fr/?kind=unheard")
    assert "Type inconnu" in wrong.text
    assert '<p class="lead" lang="en" dir="ltr">Unknown kind' in wrong.text


def test_one_language_has_no_prefix_and_no_negotiation(sqlite_store: Store) -> None:
    with serving(app_of(sqlite_store, locale="fr")) as reader:
        page = asked(reader, "/?kind=post", "ar, en")
        assert language_of(page) == "fr"
        assert "Aucun résultat" in page.text
        assert "accept-language" not in page.headers.get("vary", "").lower()
        assert "hreflang" not in page.text
        assert asked(reader, "/fr/").status == 404


def test_the_prefix_of_the_public_url_comes_first(sqlite_store: Store, tmp_path: Path) -> None:
    app = app_of(
        sqlite_store, configuration=Configuration(write_site(tmp_path)), public_url="https://gov.example/stream"
    )
    with serving(app) as reader:
        for path in ("/fr/stats", "/stream/fr/stats"):  # proxies may strip it or keep it
            page = asked(reader, path)
            assert (page.status, language_of(page)) == (200, "fr")
            assert 'href="/stream/fr/?' in page.text or 'action="/stream/fr/"' in page.text
            assert '<link rel="canonical" href="https://gov.example/stream/fr/stats">' in page.text
            assert 'hreflang="ar" href="https://gov.example/stream/ar/stats"' in page.text


def test_caches_keep_languages_apart(sqlite_store: Store, tmp_path: Path) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("a")])
    app = app_of(sqlite_store, configuration=Configuration(write_site(tmp_path)))
    pages: dict[str, Answer] = {}
    with serving(app, watching=True) as reader:
        for _ in range(3):
            pages = {accepted: asked(reader, "/", accepted) for accepted in ("fr", "ar;q=1", "de", "fr-BE,en;q=0.3")}
            assert [language_of(page) for page in pages.values()] == ["fr", "ar", "en", "fr"]
            assert all("Accept-Language" in page.headers["vary"] for page in pages.values())
            assert pages["fr"].headers["etag"] == pages["fr-BE,en;q=0.3"].headers["etag"]
            assert len({page.headers["etag"] for page in pages.values()}) == 3
            fixed = asked(reader, "/fr/", "ar")
            assert language_of(fixed) == "fr"
            assert "accept-language" not in fixed.headers.get("vary", "").lower()
        other = asked(reader, "/", "ar", **{"If-None-Match": pages["fr"].headers["etag"]})
        assert (other.status, language_of(other)) == (200, "ar")
        same = asked(reader, "/", "fr", **{"If-None-Match": pages["fr"].headers["etag"]})
        assert same.status == 304
        assert "Accept-Language" in same.headers["vary"]


def test_languages_are_switched_on_without_a_restart(sqlite_store: Store, tmp_path: Path) -> None:
    folder = write_site(tmp_path, further="languages = []")
    with serving(app_of(sqlite_store, configuration=Configuration(folder))) as reader:
        assert asked(reader, "/fr/").status == 404
        text = (folder / "portal.toml").read_text("utf-8")
        (folder / "portal.toml").write_text(text.replace("languages = []", 'languages = ["fr"]'), "utf-8")
        assert language_of(asked(reader, "/fr/")) == "fr"
        assert language_of(asked(reader, "/", "en, fr;q=0.5")) == "en"


def test_previews_for_other_sites_keep_the_language(sqlite_store: Store, tmp_path: Path) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store), [an_activity("a")])
    configuration = Configuration(write_site(tmp_path))
    app = app_of(sqlite_store, configuration=configuration, cors_origins=("https://blog.example",))
    with serving(app) as reader:
        (link,) = parsed(asked(reader, "/fr/activities/1").text).xpath("//link[@type='application/json+oembed']/@href")
        described = reader.ask(link.removeprefix(reader.address)).json
        assert f'src="{reader.address}/fr/activities/1/embed"' in described["html"]
        frame = asked(reader, "/fr/activities/1/embed")
        assert language_of(frame) == "fr"
        missing = reader.ask(f"/oembed?url={reader.address}/de/activities/1")
        assert missing.status == 404


def test_the_sitemap_has_the_canonical_addresses_of_all_languages(site: Reader) -> None:
    listed = re.findall("<loc>([^<]+)</loc>", site.ask("/sitemap-pages.xml").text)
    assert [f"{site.address}/{tag}/" for tag in ("en", "fr", "ar")] == [loc for loc in listed if loc.endswith("/")]
    items = re.findall("<loc>([^<]+)</loc>", site.ask("/sitemap-0.xml").text)
    assert f"{site.address}/fr/activities/1" in items


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('languages = ["en", "it"]', "Line 1: languages: pages are not translated to 'it'; choose from en, fr, es"),
        ('name = "A"\n[translations.xx]\nname = "B"', "Line 2: translations.xx"),
        ('[[block]]\ntype = "news"\ntitle = "N"\n[block.translations.fr]\nheading = "x"', "Line 5: block.1.trans"),
        ('[site]\nfooter = [{ label = "A", url = "/", translations = { fr = { url = "x" } } }]', "Line 2: site.footer"),
    ],
)
def test_a_mistake_in_translations_names_its_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "portal.toml").write_text(text + "\n", "utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        Configuration(tmp_path).check()


def test_an_unknown_language_of_topics_names_its_line(tmp_path: Path) -> None:
    text = '[topics.budget]\nlabel = "Budget"\n[topics.budget.definitions]\nxx = "Money"\n'
    (tmp_path / "topics.toml").write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=r"Line 4: topics\.budget\.definitions: 'xx' is not a known language"):
        Configuration(tmp_path).check()


def test_paths_have_at_most_one_language() -> None:
    assert [without_language(path) for path in ("/fr/stats", "/fr", "/ar/", "/xx/stats", "/static/a")] == [
        "/stats",
        "/",
        "/",
        "/xx/stats",
        "/static/a",
    ]


# Names from the files of the site, and of formats.
NAMES = re.compile(
    r"Open Data Office|Atom|RSS|JSON Feed|JSON|CSV|ActivityStreams 2\.0|API|Activity Stream|HTML|Home|Latest activity"
    r"|Calendar|News and events|Topics|Participating countries|access@gov\.example|Ombudsman|[A-Z]{3}"
    r"|Open data, day by day"
)
# What is content or a name: its direction or language is its own, or it is code, a date or a value of a list.
CONTENT = (
    "self::script or self::style or self::code or self::time or self::bdi or @dir='auto' or @lang='en'"
    " or self::title[ancestor::*[local-name()='svg']] or contains(@class, 'avatar') or contains(@class, 'preview-')"
    " or contains(@class, 'leaf') or contains(@class, 'plot-label') or contains(@class, 'out')"
    " or self::option[@value!=''][not(parent::*[@name='kind' or @name='theme'])]"
)
ATTRIBUTES = ("aria-label", "title", "alt", "placeholder", "data-find", "data-copy", "data-copied", "data-more")


def untranslated(page: str, content: frozenset[str]) -> list[str]:
    """Return the texts and attributes of a page that are in no catalogue, and are no content."""
    root = parsed(page)
    found = [
        text.strip()
        for text in root.xpath(f"//body//text()[not(ancestor::*[{CONTENT}])] | //head/title/text()")
        if not _is_translated(text, content) and not _is_translated(_around(text), content)
    ]
    for name in ATTRIBUTES:
        values = root.xpath(f"//*[@{name}][not(ancestor-or-self::*[@lang='en'])]/@{name}")
        found += [value for value in values if not _is_translated(value, content)]
    return found


def _around(text: Any) -> str:
    """Return the whole text of the element that has a text node."""
    before = text.getparent()
    around: str = (before.getparent() if text.is_tail else before).text_content()
    return around


def _is_translated(text: str, content: frozenset[str]) -> bool:
    rest, before = text, ""
    while rest != before:  # a translated text may be a part of another
        rest, before = re.sub("⟦[^⟦⟧]*⟧", "", rest), rest
    for part in content:
        rest = rest.replace(part, "")
    return not re.search(r"[A-Za-z]{2,}", NAMES.sub("", rest))


@pytest.mark.parametrize("path", PAGES)
def test_every_text_of_a_public_page_is_translated(pseudo: Pseudo, path: str) -> None:
    assert untranslated(pseudo.pages[path], pseudo.content) == []


class Pseudo(NamedTuple):
    """All public pages in the pseudo-locale, and the words of their items."""

    pages: Mapping[str, str]
    content: frozenset[str]


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Pseudo:
    folder = tmp_path_factory.mktemp("pseudo")
    store = Store.open(f"sqlite:///{folder / 'db.sqlite3'}")
    store.migrate(authority="test.invalid", today=NOON.date())
    with publishing_pictures() as pictures:
        fill_in_languages(store, pictures)
        configuration = Configuration(write_site(folder, further="languages = []"))
        with serving(app_of(store, configuration=configuration, locale=PSEUDO)) as reader:
            pages = {path: asked(reader, path).text for path in PAGES}
            items = reader.ask("/api/v1/activities?limit=100&collapse=none").text
    store.close()
    names = re.findall(r'"(?:title|alt|name|text)":"([^"]+)"', items)
    return Pseudo(pages, frozenset(names))
