"""Convert a page of X's API v2 to activities. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from aggregator.domain.activity import (
    WITHHELD_EVERYWHERE,
    ActivityKind,
    Actor,
    Content,
    NewActivity,
    Original,
)
from aggregator.domain.polling.results import UnreadEntry
from aggregator.sources.twitter.attachments import article_title, poll_of, with_article
from aggregator.sources.twitter.markup import SITE, Shown, render, unescape, web_address
from aggregator.sources.twitter.media import pictures_and_films
from aggregator.sources.twitter.payload import (
    NETWORK,
    Page,
    Record,
    author_of,
    first_id,
    history_of,
    identified,
    key_of,
    linked_handle,
    moment_of,
    older_names,
    page_of,
    permalink,
    references_of,
    time_of_id,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["NETWORK", "PageContent", "actor_of", "moment_of", "normalise", "normalise_page", "older_names"]

_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # from a post with another structure
# Counts, the remaining edit time and the state of a poll change without an edit.
_VOLATILE = frozenset({"public_metrics", "edit_controls", "votes", "voting_status"})
_LANGUAGES = {"in": "id", "iw": "he", "ji": "yi"}  # X still uses codes that were withdrawn in 1989
_NO_LANGUAGE = frozenset({"und", "zxx", "art", "qam", "qct", "qht", "qme", "qst"})
_LONGEST_EDITING = timedelta(hours=2)  # X allows edits for an hour; with a larger gap, the id contains no time
_BY_COPYRIGHT = "XY"  # X's code for all countries, for copyright


@dataclass(frozen=True, slots=True)
class PageContent:
    """The posts of a page, oldest first, and those with an unknown structure."""

    activities: list[NewActivity] = field(default_factory=list)
    unread: list[UnreadEntry] = field(default_factory=list)


def normalise(payload: Mapping[str, Any], *, account: Actor | None = None) -> list[NewActivity]:
    """Convert the readable posts of a page to activities, oldest first; see `normalise_page`.

    Raises:
        UnreadableError: the payload doesn't have the shape of such a page.
    """
    return normalise_page(payload, account=account).activities


def normalise_page(payload: Mapping[str, Any], *, account: Actor | None = None) -> PageContent:
    """Convert a timeline page to activities, each post separately, so that an odd post costs no other.

    Args:
        payload: the decoded JSON of `GET /2/users/:id/tweets`, in either vocabulary.
        account: the owner of the timeline, for posts whose author the page does not include.

    Raises:
        UnreadableError: the payload doesn't have the shape of such a page.
    """
    entries, page = page_of(older_names(dict(payload)), account)
    found = PageContent()
    for entry in entries:
        post = identified(entry)
        try:
            found.activities.append(_activity(_required(post), page))
        except _ODD as problem:
            found.unread.append(_unread(entry, post, page, problem))
    found.activities.sort(key=lambda activity: int(activity.native_id))
    return found


def _required(post: Record | None) -> Record:
    if post is None:
        raise ValueError("no usable id")
    return post


def _unread(entry: object, post: Record | None, page: Page, problem: Exception) -> UnreadEntry:
    """Return an odd post as X sent it, with the objects that it mentions."""
    raw: Record = {"data": [entry], "includes": {}}
    for name, known in (("tweets", page.posts), ("users", page.users), ("media", page.media), ("polls", page.polls)):
        mentioning = json.dumps(raw)
        if found := [record for id_, record in known.items() if f'"{id_}"' in mentioning]:
            raw["includes"][name] = found
    errors = [_error(page.unavailable[id_]) for id_ in page.unavailable if f'"{id_}"' in json.dumps(entry)]
    compact = _compact(raw | ({"errors": errors} if errors else {}))
    native_id = post["id"] if post else f"sha256:{hashlib.sha256(compact).hexdigest()}"
    return UnreadEntry(native_id, key_of(native_id), f"{type(problem).__name__}: {problem}"[:200], compact)


def _activity(post: Record, page: Page) -> NewActivity:
    references = references_of(post)
    reposted, quoted = references.get("retweeted"), references.get("quoted")
    about = reposted or quoted
    object_ = _reposted(reposted, page) if reposted else _quoted(quoted, page)
    if reposted and reposted in page.unavailable:
        post = _without_words(post)
    content = _repost(post, page, object_) if reposted else _content(post, page, embedded=object_)
    raw = _raw(post, page)
    return NewActivity(
        native_id=first_id(post),
        key=key_of(first_id(post)),
        content=content,
        entry_digest=hashlib.sha256(_compact(_without_volatile(raw))).hexdigest(),
        object=object_,
        object_key=(object_.key if object_ else key_of(about)) if about else None,
        raw=_compact(raw),
        thread=_thread(post, references, page),
    )


def _thread(post: Record, references: Mapping[str, str], page: Page) -> str | None:
    """Return the key of the thread that a post begins or continues: its author's own part of a conversation."""
    author = author_of(post) or (page.account.native_id if page.account else "")
    conversation = str(post.get("conversation_id") or "")
    begins = conversation in history_of(post) and not references.keys() & {"replied_to", "retweeted"}
    continues = "replied_to" in references and _answered_author(post, references, page) == author
    return f"{key_of(conversation)}@{author}" if author and conversation and (begins or continues) else None


def _answered_author(post: Record, references: Mapping[str, str], page: Page) -> str:
    answered = page.posts.get(references["replied_to"], {})
    return author_of(answered) or str(post.get("in_reply_to_user_id") or "")


def _reposted(reposted: str, page: Page) -> Original | None:
    """Return the original of a repost. If it is a quote, X includes what it quotes only in the answer to a look-up."""
    post = page.posts.get(reposted)
    return _original(post, page, _quoted(references_of(post).get("quoted"), page)) if post else None


def _quoted(quoted: str | None, page: Page) -> Original | None:
    """Return a quoted post; if X withholds it everywhere, the quote is shown without it."""
    post = page.posts.get(quoted or "")
    shown = post is not None and WITHHELD_EVERYWHERE.isdisjoint(_withheld(post))
    return _original(post, page, None) if post and shown else None


def _original(post: Record, page: Page, quoted: Original | None) -> Original:
    first = first_id(post)
    content = _content(post, page, embedded=None)  # its text keeps the link to what it quotes
    return Original(key_of(first), first, replace(content, complete=True) if quoted else content, quoted)


def _repost(post: Record, page: Page, original: Original | None) -> Content:
    """Return a repost as an activity; its text is the original's, if the page includes more than X's truncated copy."""
    if original is None:
        return _content(post, page, embedded=None)
    return Content(
        kind=ActivityKind.REPOST,
        network=NETWORK,
        url=permalink(post, page),
        actor=_actor(post, page),
        lang=_language(post),
        published=_published(post),
        sensitive=post.get("possibly_sensitive") is True,
        withheld=tuple(sorted({*_withheld(post), *original.content.withheld})),
    )


def _content(post: Record, page: Page, *, embedded: Original | None) -> Content:
    references = references_of(post)
    keys = (post.get("attachments") or {}).get("media_keys") or []
    media = pictures_and_films(page.media[key] for key in keys if key in page.media)
    quoted = references.get("quoted")
    shown = Shown(media=bool(media), quoted=_versions(page.posts[quoted]) if quoted and embedded else frozenset())
    note = post.get("note_tweet") or {}  # the full text of a long post, with its own entities
    words = note if note.get("text") else post
    text = words.get("text") or ""
    if not isinstance(text, str):
        raise TypeError("text that is not a string")
    markup = render(text, words.get("entities") or {}, shown)
    created = _published(post)
    edited = len(history_of(post)) > 1
    return Content(
        kind=_kind(references),
        network=NETWORK,
        url=permalink(post, page),
        actor=_actor(post, page),
        title=article_title(post),
        text=markup.text,
        html=markup.html,
        lang=_language(post),
        published=_first_published(post, created) if edited else created,
        updated=created if edited else None,
        media=media,
        links=with_article(markup.links, post, page, permalink(post, page)),
        hashtags=markup.hashtags,
        mentions=markup.mentions,
        sensitive=post.get("possibly_sensitive") is True,
        edited=edited,
        complete=not (page.missing(references.get("retweeted")) or (embedded is None and _lacks_quote(quoted, page))),
        in_reply_to=_replied_to(post, page),
        withheld=_withheld(post),
        quote_of=_quote_of(post, page),
        poll=poll_of(post, page),
    )


def _kind(references: Mapping[str, str]) -> ActivityKind:
    if "retweeted" in references:
        return ActivityKind.REPOST
    if "replied_to" in references:  # before quotes: a reply with a quote belongs to its conversation
        return ActivityKind.REPLY
    return ActivityKind.QUOTE if "quoted" in references else ActivityKind.POST


def _lacks_quote(quoted: str | None, page: Page) -> bool:
    """Return whether a quoted post that is not embedded may exist: X did not report it as unavailable."""
    included = page.posts.get(quoted or "")
    return page.missing(quoted) or (included is not None and WITHHELD_EVERYWHERE.isdisjoint(_withheld(included)))


def _versions(quoted: Record) -> frozenset[str]:
    """Return the ids by which a link may refer to a quoted post: those of all its versions."""
    return frozenset([quoted["id"], *history_of(quoted)])


def _without_words(repost: Record) -> Record:
    """Return a repost without the words of its original, which X reports as unavailable."""
    return {name: value for name, value in repost.items() if name not in {"text", "entities", "note_tweet"}}


def _published(post: Record) -> datetime | None:
    """Return when a post was created; without a valid time, its id contains it."""
    return moment_of(post.get("created_at")) or time_of_id(post["id"])


def _first_published(post: Record, created: datetime | None) -> datetime | None:
    """Return the publication time of an edited post's first version, which only its id contains."""
    moment = time_of_id(first_id(post))
    if created is None or moment is None:
        return created
    return moment if timedelta() <= created - moment <= _LONGEST_EDITING else created


def _replied_to(post: Record, page: Page) -> str | None:
    answered = references_of(post).get("replied_to")
    if answered is None:
        return None
    known = page.posts.get(answered, {"id": answered, "author_id": post.get("in_reply_to_user_id")})
    return permalink(known, page)


def _quote_of(post: Record, page: Page) -> str | None:
    """Return the address of the quoted post; if X did not include it, only the text's link names its author."""
    quoted = references_of(post).get("quoted")
    if quoted is None:
        return None
    included = page.posts.get(quoted)
    return permalink(included, page) if included else f"{SITE}/{linked_handle(post, quoted) or 'i'}/status/{quoted}"


def _actor(post: Record, page: Page) -> Actor | None:
    author = author_of(post)
    user = page.users.get(author)
    if user is None:
        if page.account is not None and author in {"", page.account.native_id}:
            return page.account
        handle = page.handles.get(author)
        name = f"@{handle}" if handle else f"X user {author}"
        return replace(_named(author, name, handle), partial=True) if author else None
    return actor_of(user)


def actor_of(user: Mapping[str, Any]) -> Actor:
    """Return the actor for a user object of the API."""
    handle = str(user.get("username") or "") or None
    name = unescape(str(user.get("name") or handle or user["id"]))
    return _named(str(user["id"]), name, handle, web_address(user.get("profile_image_url")))


def _named(native_id: str, name: str, handle: str | None, avatar: str | None = None) -> Actor:
    return Actor(NETWORK, native_id, name, handle, url=f"{SITE}/{handle}" if handle else None, avatar=avatar)


def _withheld(post: Record) -> tuple[str, ...]:
    """Return the countries in which X withholds a post: all of them for copyright without codes."""
    withheld = post.get("withheld") or {}
    codes = {code.upper() for code in withheld.get("country_codes") or [] if isinstance(code, str)}
    if not codes and withheld.get("copyright") is True:
        codes = {_BY_COPYRIGHT}
    return tuple(sorted(codes))


def _language(post: Record) -> str | None:
    code = post.get("lang")
    if not isinstance(code, str) or not code or code in _NO_LANGUAGE:
        return None
    return _LANGUAGES.get(code, code)


def _raw(post: Record, page: Page) -> Record:
    """Return the post with its referenced objects as a page of its own, so that it can be normalized again later."""
    references = references_of(post)
    quoted = _quoted_by_reposted(references, page)
    about = [page.posts[id_] for id_ in dict.fromkeys([*references.values(), *quoted]) if id_ in page.posts]
    answered = {references.get("replied_to")} - {references.get("quoted"), references.get("retweeted")}
    about = [_without_text(other) if other["id"] in answered else other for other in about]
    keys = [key for p in (post, *about) for key in _media_keys(p)]
    polls = [str(id_) for p in (post, *about) for id_ in (p.get("attachments") or {}).get("poll_ids") or []]
    authors = [author_of(p) for p in (post, *about)]
    includes = {
        "media": [page.media[key] for key in dict.fromkeys(keys) if key in page.media],
        "polls": [page.polls[id_] for id_ in dict.fromkeys(polls) if id_ in page.polls],
        "tweets": about,
        "users": [page.users[id_] for id_ in dict.fromkeys(authors) if id_ in page.users],
    }
    shown = [references[kind] for kind in ("retweeted", "quoted") if kind in references]
    errors = [_error(page.unavailable[id_]) for id_ in (*shown, *quoted) if id_ in page.unavailable]
    raw = {"data": [post], "includes": {name: found for name, found in includes.items() if found}}
    return raw | ({"errors": errors} if errors else {})


def _media_keys(post: Record) -> list[str]:
    article = post.get("article")
    cover = [str(article["cover_media"])] if isinstance(article, dict) and article.get("cover_media") else []
    return [*((post.get("attachments") or {}).get("media_keys") or []), *cover]


def _quoted_by_reposted(references: Mapping[str, str], page: Page) -> list[str]:
    reposted = page.posts.get(references.get("retweeted", ""))
    quoted = references_of(reposted).get("quoted") if reposted else None
    return [quoted] if quoted else []


def _error(whole: Record) -> Record:
    """Return which post is unavailable and how, alike in both vocabularies."""
    return {
        "resource_id": str(whole.get("resource_id") or whole.get("value")),
        "type": str(whole["type"]).rpartition("/")[2],
    }


def _without_text(answered: Record) -> Record:
    """Return the fields of a replied-to post that are needed. Its text is never displayed, so it is not stored."""
    return {name: answered[name] for name in ("id", "author_id") if name in answered}


def _without_volatile(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return JSON without fields that change without an edit."""
    if isinstance(value, dict):
        return {name: _without_volatile(item) for name, item in value.items() if name not in _VOLATILE}
    return [_without_volatile(item) for item in value] if isinstance(value, list) else value


def _compact(value: Record) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")  # keeps lone surrogates
