"""Convert polls and articles of X's posts. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import Link, Poll
from aggregator.sources.twitter.markup import line_of
from aggregator.sources.twitter.media import pictures_and_films
from aggregator.sources.twitter.payload import moment_of, objects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.sources.twitter.payload import Page, Record

_ARTICLE_PAGE = "/article/"  # in the address of an article: /i/article/ID, /NAME/article/ID


def poll_of(post: Record, page: Page) -> Poll | None:
    """Return the poll of a post. X includes those of posts, but not of their originals: these have no options here."""
    ids = (post.get("attachments") or {}).get("poll_ids") or []
    if not ids:
        return None
    poll = next((page.polls[str(id_)] for id_ in ids if str(id_) in page.polls), {})
    options = sorted(objects(poll, "options"), key=lambda option: int(option.get("position") or 0))
    labels = tuple(label for option in options if (label := line_of(option.get("label"))))
    return Poll(labels, moment_of(poll.get("end_datetime")))


def article_title(post: Record) -> str | None:
    """Return the title of the article that a post consists of."""
    article = post.get("article")
    return line_of(article.get("title")) if isinstance(article, dict) else None


def with_article(links: Sequence[Link], post: Record, page: Page, url: str) -> tuple[Link, ...]:
    """Return the links with a preview of the post's article; `url` is the post's address."""
    title = article_title(post)
    if title is None:
        return tuple(links)
    article = post["article"]
    cover = page.media.get(str(article.get("cover_media")))
    pictures = pictures_and_films([cover]) if cover else ()
    image = pictures[0].preview or pictures[0].url if pictures else None
    place = next((at for at, link in enumerate(links) if _ARTICLE_PAGE in link.url), None)
    described = replace(
        links[place] if place is not None else Link(url),
        title=title,
        description=line_of(article.get("preview_text")),
        image=image,
    )
    return (*links, described) if place is None else (*links[:place], described, *links[place + 1 :])
