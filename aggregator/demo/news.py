"""Serve the news site of the sample world: feeds, article pages, and generated pictures."""

from __future__ import annotations

import hashlib
import html
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from aggregator.demo import pictures

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from aggregator.demo.articles import Article, SiteEvent
    from aggregator.demo.world import World

TITLE = "News and Events (sample upstream)"
ENTRIES = 60  # most entries in a feed
AUTHORITY = "sample.invalid,2014"  # authority of tag: ids, so that entries keep their ids on any port

_STYLE = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:2rem auto;padding:0 1rem}img{max-width:100%}"


class News:
    """The routes of the site."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/", self._front),
            Route("/news.xml", self._rss),
            Route("/news.atom", self._atom),
            Route("/events.ics", self._calendar),
            Route("/articles/{name}", self._page),
            Route("/media/{name}.png", _pattern),
            Route("/avatars/{name}.png", _avatar),
        ]

    def _rss(self, request: Request) -> Response:
        base = _base(request)
        items = "".join(_rss_item(article, base) for article in self._entries())
        body = (
            '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
            ' xmlns:media="http://search.yahoo.com/mrss/" xmlns:atom="http://www.w3.org/2005/Atom"><channel>'
            f"<title>{TITLE}</title><link>{base}/</link>"
            "<description>A portal's news of 2014, and sample news</description>"
            f'<atom:link rel="self" type="application/rss+xml" href="{base}/news.xml"/>{items}</channel></rss>\n'
        )
        return self._conditional(request, body, "application/rss+xml")

    def _atom(self, request: Request) -> Response:
        base = _base(request)
        entries = "".join(_atom_entry(article, base, self._world.began) for article in self._entries())
        body = (
            '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">'
            f"<title>{TITLE}</title><id>tag:{AUTHORITY}:news</id><updated>{_iso(self._world.changed)}</updated>"
            f'<link href="{base}/"/><link rel="self" href="{base}/news.atom"/>'
            f"<author><name>Sample upstream</name></author>{entries}</feed>\n"
        )
        return self._conditional(request, body, "application/atom+xml")

    def _entries(self) -> list[Article]:
        """Return the newest sample articles, and always those of the portal's page."""
        articles = self._world.articles
        ours = [article for article in articles if not article.is_sample]
        return [*[article for article in articles if article.is_sample][: ENTRIES - len(ours)], *ours]

    def _calendar(self, request: Request) -> Response:
        """Return a calendar: presentations of sample articles, and a weekly hour that recurs."""
        base = _base(request)
        began = self._world.began
        weekly = (
            f"BEGIN:VEVENT\r\nUID:office-hour@{AUTHORITY}\r\nDTSTAMP:{began:%Y%m%dT%H%M%SZ}\r\n"
            f"CREATED:{began:%Y%m%dT%H%M%SZ}\r\nSUMMARY:Office hour (sample)\r\n"
            f"DTSTART;TZID=America/New_York:{began:%Y%m%d}T100000\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\n"
            f"LOCATION:{base}/articles/office-hour\r\nURL:{base}/articles/office-hour\r\n"
            "DESCRIPTION:Ask what you like. Nothing of this happens\\, it is a sample.\r\nEND:VEVENT\r\n"
        )
        events = "".join(_ics_event(event, base) for event in self._world.site_events)
        body = (
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//sample upstream//EN\r\nX-WR-CALNAME:Events (sample upstream)"
            f"\r\nX-WR-TIMEZONE:Europe/London\r\n{weekly}{events}END:VCALENDAR\r\n"
        )
        return self._conditional(request, body, "text/calendar")

    def _conditional(self, request: Request, body: str, media_type: str) -> Response:
        data = body.encode()
        headers = {
            "ETag": f'"{hashlib.sha256(data).hexdigest()[:20]}"',
            "Last-Modified": format_datetime(self._world.changed, usegmt=True),
            "Cache-Control": "public, max-age=5",
        }
        seen = request.headers.get("if-none-match")
        if seen == headers["ETag"] or (
            seen is None and request.headers.get("if-modified-since") == headers["Last-Modified"]
        ):
            return Response(status_code=304, headers=headers)
        return Response(data, headers=headers, media_type=media_type)

    def _front(self, request: Request) -> HTMLResponse:
        base = _base(request)
        rows = "".join(
            f'<li><a href="{base}/articles/{article.name}">{html.escape(article.title or article.text)}</a></li>'
            for article in self._entries()
        )
        head = (
            f'<link rel="alternate" type="application/rss+xml" title="{TITLE}" href="{base}/news.xml">'
            f'<link rel="alternate" type="application/atom+xml" title="{TITLE} (Atom)" href="{base}/news.atom">'
        )
        return _html_page(TITLE, f"<h1>{TITLE}</h1><ul>{rows}</ul>", head)

    def _page(self, request: Request) -> HTMLResponse:
        name = request.path_params["name"]
        article = next((candidate for candidate in self._world.articles if candidate.name == name), None)
        if article is None:
            return _html_page(
                "Sample page", "<h1>Sample page</h1><p>A sample post links here; there is no more to it.</p>"
            )
        picture = article.picture
        image = f'<img src="/media/{picture.name}" alt="{html.escape(picture.alt)}">' if picture else ""
        origin = (
            "This is a sample article: nothing of it happened."
            if article.is_sample
            else "The text is from the portal's page of April 2014; its address is not known, so this page stands in."
        )
        title = html.escape(article.title or "News and Events")
        return _html_page(title, f"<h1>{title}</h1>{image}<p>{html.escape(article.text)}</p><p><em>{origin}</em></p>")


def _rss_item(article: Article, base: str) -> str:
    parts = [
        f'<guid isPermaLink="false">tag:{AUTHORITY}:{article.name}</guid>',
        f"<link>{base}/articles/{article.name}</link>",
    ]
    if article.title:
        parts.append(f"<title>{html.escape(article.title)}</title>")
    if article.published:
        parts.append(f"<pubDate>{format_datetime(article.published, usegmt=True)}</pubDate>")
    if article.author:
        parts.append(f"<dc:creator>{html.escape(article.author)}</dc:creator>")
    parts.append(f"<dc:language>{article.lang}</dc:language>")
    if article.text:
        parts.append(f"<description>{html.escape(f'<p>{html.escape(article.text)}</p>')}</description>")
    if article.film:
        parts.append(f'<media:content url="{base}/articles/{article.name}" type="text/html" medium="video"/>')
    if picture := article.picture:
        parts.append(
            f'<media:content url="{base}/media/{picture.name}" type="image/png" medium="image">'
            f'<media:description type="plain">{html.escape(picture.alt)}</media:description></media:content>'
        )
    return f"<item>{''.join(parts)}</item>"


def _ics_event(event: SiteEvent, base: str) -> str:
    title = event.title.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return (
        f"BEGIN:VEVENT\r\nUID:{event.name}@{AUTHORITY}\r\nDTSTAMP:{event.announced:%Y%m%dT%H%M%SZ}\r\n"
        f"CREATED:{event.announced:%Y%m%dT%H%M%SZ}\r\nSUMMARY:Presentation: {title}\r\n"
        f"DTSTART;TZID=Europe/London:{event.day:%Y%m%d}T140000\r\nDTEND;TZID=Europe/London:{event.day:%Y%m%d}T153000\r\n"
        f"LOCATION:Town hall (sample)\r\nURL:{base}/articles/{event.name}\r\n"
        f"ATTACH;FMTTYPE=image/png:{base}/media/{event.picture.name}\r\nEND:VEVENT\r\n"
    )


def _atom_entry(article: Article, base: str, began: datetime) -> str:
    published = f"<published>{_iso(article.published)}</published>" if article.published else ""
    author = f"<author><name>{html.escape(article.author)}</name></author>" if article.author else ""
    return (
        f'<entry xml:lang="{article.lang}"><id>tag:{AUTHORITY}:{article.name}</id>'
        f"<title>{html.escape(article.title or '')}</title>"
        f"<updated>{_iso(article.published or began)}</updated>{published}"
        f'<link href="{base}/articles/{article.name}"/>{author}'
        f'<content type="html">{html.escape(f"<p>{html.escape(article.text)}</p>")}</content></entry>'
    )


def _html_page(title: str, body: str, head: str = "") -> HTMLResponse:
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style>{head}</head><body>{body}</body></html>"
    )


def _pattern(request: Request) -> Response:
    return _picture(pictures.pattern(request.path_params["name"]))


def _avatar(request: Request) -> Response:
    return _picture(pictures.avatar(request.path_params["name"]))


def _picture(body: bytes) -> Response:
    return Response(body, media_type=pictures.MEDIA_TYPE, headers={"Cache-Control": "public, max-age=3600"})


def _base(request: Request) -> str:
    return html.escape(str(request.base_url).rstrip("/"))


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
