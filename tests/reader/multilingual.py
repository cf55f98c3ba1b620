"""Build a site in several languages with items of every kind."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.demo.configuration import write_configuration
from aggregator.domain.activity import ActivityKind, Actor, Occasion
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.specimens import fill

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store

HOUR = timedelta(hours=1)
PORTAL = """
name = "Open Data Office"
heading = "Open data, day by day"
intro = "News, events and posts of public institutions."
languages = ["en", "fr", "ar"]

[translations.fr]
name = "Bureau des données ouvertes"
heading = "Les données ouvertes, jour après jour"
intro = "Actualités, événements et messages des institutions publiques."

[translations.ar]
name = "مكتب البيانات المفتوحة"
heading = "البيانات المفتوحة يومًا بيوم"
intro = "أخبار وفعاليات ومنشورات المؤسسات العامة."

[[block]]
type = "stream"
title = "Latest activity"
limit = 6
translations = { fr = { title = "Dernières activités" }, ar = { title = "أحدث النشاط" } }

[[block]]
type = "events"
title = "Calendar"
limit = 4
[block.translations.fr]
title = "Agenda"
text = "Tous les rendez-vous."
[block.translations.ar]
title = "التقويم"

[[block]]
type = "news"
title = "News and events"
limit = 4
translations = { fr = { title = "Actualités" }, ar = { title = "الأخبار" } }

[[block]]
type = "topics"
title = "Topics"
translations = { fr = { title = "Thèmes" }, ar = { title = "المواضيع" } }

[[block]]
type = "countries"
title = "Participating countries"
translations = { fr = { title = "Pays participants" }, ar = { title = "البلدان المشاركة" } }

[site]
navigation = [{ label = "Home", url = "https://gov.example/", translations = { fr = { label = "Accueil" } } }]

[accessibility]
organization = "Open Data Office"
contact = "mailto:access@gov.example"
compliance = "partial"
prepared = 2026-03-01
issues = ["The map has no text alternative besides the list below it."]
enforcement = { label = "Ombudsman", url = "https://ombudsman.example/" }
[accessibility.translations.fr]
organization = "Bureau des données ouvertes"
issues = ["La carte est sans alternative textuelle."]
"""
# Public pages of every kind: the front page, lists with and without results, an item, errors.
PAGES = (
    *("/", "/?kind=article", "/?q=budget", "/?q=zebra&kind=article", "/?source=news&topic=transparency"),
    *("/activities/1", "/activities/3", "/activities/5", "/stats", "/embed/builder", "/accessibility", "/embed"),
    *("/embed?limit=900", "/activities/1/embed", "/docs", "/nothing", "/?kind=unheard", "/activities/1/card"),
)


def fill_in_languages(store: Store, pictures: str) -> None:
    """Add items of every kind, in several languages."""
    fill(store, pictures)
    arab = Actor("mastodon", "1", "مجلس المدينة", "majlis", "https://social.example/@majlis")
    french = Actor("mastodon", "2", "Mairie", "mairie", "https://social.example/@mairie")
    posts = [
        an_activity(
            f"l{number}",
            kind=ActivityKind.POST,
            network="mastodon",
            actor=actor,
            title=None,
            text=text,
            html="",
            lang=lang,
            url=f"https://social.example/@{actor.handle}/{number}",
            published=NOON - number * HOUR,
        )
        for number, (actor, lang, text) in enumerate(
            [
                (arab, "ar", "تبدأ جلسة البيانات المفتوحة في الساعة العاشرة."),
                (french, "fr", "La réunion commence à dix heures."),
            ]
        )
    ]
    source = add_source(store, "town", name="Town")
    ingest_now(store, source, [replace(post, key=f"mastodon:{post.native_id}") for post in posts])
    start = NOON + timedelta(days=3)
    hearing = Occasion(start, start + HOUR, None, "Town hall")
    ingest_now(
        store,
        source,
        [an_activity("hearing", kind=ActivityKind.EVENT, title="Hearing", published=NOON - HOUR, event=hearing)],
    )


def write_site(folder: Path, *, further: str = "") -> Path:
    """Write the configuration of the site and return its folder; `further` replaces its languages."""
    made = write_configuration(folder)
    text = PORTAL.replace('languages = ["en", "fr", "ar"]', further) if further else PORTAL
    (made / "portal.toml").write_text(text, "utf-8")
    with (made / "topics.toml").open("a", encoding="utf-8") as topics:
        topics.write('\n[topics.transparency.definitions]\nfr = "Les informations sont ouvertes."\n')
    return made
