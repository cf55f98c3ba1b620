"""Recognize addresses of accounts, feeds, lists and hashtags, and build the API's. Pure."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from aggregator.domain.errors import BadRequestError
from aggregator.text.urls import canonical_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SITE = "https://bsky.app"
POSTS, REPOSTS = "app.bsky.feed.post", "app.bsky.feed.repost"
GENERATORS, LISTS, STARTER_PACKS = "app.bsky.feed.generator", "app.bsky.graph.list", "app.bsky.graph.starterpack"
INVALID_HANDLE = "handle.invalid"  # stands for a handle that its domain doesn't confirm

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HANDLE = re.compile(rf"(?=.{{3,253}}$)(?:{_LABEL}\.)+[a-z](?:[a-z0-9-]{{0,61}}[a-z0-9])?", re.IGNORECASE)
_DID = re.compile(r"did:[a-z]{1,20}:[A-Za-z0-9._:%-]{0,200}[A-Za-z0-9._-]")
_KEY = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._:~-]{1,128}")
_URI = re.compile(rf"at://({_DID.pattern})/([a-zA-Z][a-zA-Z0-9.-]{{2,100}})/({_KEY.pattern})")
_TOPIC = re.compile(r"\w{1,100}")
_HASHTAG = re.compile(r"hashtag:\s*#?(\w{1,100})", re.IGNORECASE)
_POST_PAGE = "This is a single post on Bluesky, which can't be followed. Add its author: {}."


class Feed(StrEnum):
    """The timelines that can be followed."""

    ACCOUNT = "account"
    GENERATOR = "feed"
    LIST = "list"
    HASHTAG = "hashtag"


class Subject(NamedTuple):
    """A timeline: of an account, or a feed or list of an account, or of a hashtag."""

    feed: Feed
    actor: str = ""  # a handle or DID
    key: str = ""  # of the feed's or list's record, or the hashtag

    def __str__(self) -> str:
        """Return the canonical form."""
        match self.feed:
            case Feed.ACCOUNT:
                return self.actor if self.actor.startswith("did:") else f"@{self.actor}"
            case Feed.GENERATOR:
                return f"{SITE}/profile/{self.actor}/feed/{self.key}"
            case Feed.LIST:
                return f"{SITE}/profile/{self.actor}/lists/{self.key}"
            case Feed.HASHTAG:
                return f"hashtag:{self.key}"


class Uri(NamedTuple):
    """An AT URI of a record."""

    did: str
    collection: str
    key: str

    def __str__(self) -> str:
        """Return it as text."""
        return f"at://{self.did}/{self.collection}/{self.key}"


def subject_of(address: str) -> Subject | None:
    """Return the timeline that an address names; None if it is for another kind of source.

    Raises:
        BadRequestError: it is a post.
    """
    text = address.strip()
    if found := _HASHTAG.fullmatch(text):
        return Subject(Feed.HASHTAG, key=found[1])
    if text.startswith("@"):
        return Subject(Feed.ACCOUNT, text[1:].lower()) if is_handle(text[1:]) else None
    if text.startswith("did:"):
        return Subject(Feed.ACCOUNT, text) if is_did(text) else None
    if text.lower().startswith("at://"):
        return _at(text[5:].rstrip("/").split("/"))
    url = canonical_url(text) if re.match(r"https?://", text, re.IGNORECASE) else None
    return _in_url(url) if url else None


def _at(segments: Sequence[str]) -> Subject | None:
    match segments:
        case [actor]:
            return _subject(Feed.ACCOUNT, actor)
        case [actor, collection, key] if collection == GENERATORS:
            return _subject(Feed.GENERATOR, actor, key)
        case [actor, collection, key] if collection == LISTS:
            return _subject(Feed.LIST, actor, key)
        case [actor, collection, _] if collection == POSTS and _subject(Feed.ACCOUNT, actor):
            raise BadRequestError(_POST_PAGE.format(_subject(Feed.ACCOUNT, actor)))
    return None


def _in_url(url: str) -> Subject | None:
    parts = urlsplit(url)
    if (parts.hostname or "").removeprefix("www.") != "bsky.app" or parts.port is not None:
        return None
    match [unquote(segment) for segment in parts.path.split("/") if segment]:
        case ["profile", actor] | ["profile", actor, "followers" | "follows"]:
            return _subject(Feed.ACCOUNT, actor)
        case ["profile", actor, "feed", key]:
            return _subject(Feed.GENERATOR, actor, key)
        case ["profile", actor, "lists", key]:
            return _subject(Feed.LIST, actor, key)
        case ["profile", actor, "post", _] if _subject(Feed.ACCOUNT, actor):
            raise BadRequestError(_POST_PAGE.format(_subject(Feed.ACCOUNT, actor)))
        case ["hashtag", topic] if _TOPIC.fullmatch(topic):
            return Subject(Feed.HASHTAG, key=topic)
    return None


def _subject(feed: Feed, actor: str, key: str = "") -> Subject | None:
    actor = actor.removeprefix("@")
    if key and not _KEY.fullmatch(key):
        return None
    if is_did(actor):
        return Subject(feed, actor, key)
    return Subject(feed, actor.lower(), key) if is_handle(actor) else None


def is_handle(value: object) -> bool:
    """Return whether a value is a handle that someone can have."""
    return isinstance(value, str) and _HANDLE.fullmatch(value) is not None and value.lower() != INVALID_HANDLE


def is_did(value: object) -> bool:
    """Return whether a value is the stable id of an account."""
    return isinstance(value, str) and _DID.fullmatch(value) is not None


def uri_of(value: object, collection: str | None = None) -> Uri | None:
    """Return the AT URI of a record (of a collection), or None for anything else."""
    found = _URI.fullmatch(value) if isinstance(value, str) else None
    if found is None or collection not in {None, found[2]}:
        return None
    return Uri(found[1], found[2], found[3])


def post_id(text: str) -> str | None:
    """Return the id of a post from its id, its key or its URL."""
    text = text.strip().removeprefix("bluesky:")
    if text.startswith(f"{SITE}/profile/"):
        match [unquote(segment) for segment in urlsplit(text).path.split("/") if segment]:
            case ["profile", actor, "post", key]:
                text = f"at://{actor}/{POSTS}/{key}"
    uri = uri_of(text, POSTS)
    return str(uri) if uri else None


def account_id(text: str) -> str | None:
    """Return the DID of an account from its id, its key or its URL."""
    text = text.strip().removeprefix("bluesky:@").removeprefix(f"{SITE}/profile/")
    return text if is_did(text) else None


def handle_in(text: str) -> str | None:
    """Return the handle of an account's address, or None for any other address."""
    try:
        subject = subject_of(text)
    except BadRequestError:
        return None
    return subject.actor if subject and subject.feed is Feed.ACCOUNT and not is_did(subject.actor) else None


def page_of(uri: Uri) -> str:
    """Return the web page of a record; with the DID, which a new handle doesn't change."""
    paths = {POSTS: "post", GENERATORS: "feed", LISTS: "lists"}
    if uri.collection == STARTER_PACKS:
        return f"{SITE}/starter-pack/{uri.did}/{uri.key}"
    return f"{SITE}/profile/{uri.did}/{paths[uri.collection]}/{uri.key}" if uri.collection in paths else ""


def profile_page(did: str) -> str:
    """Return the web page of an account."""
    return f"{SITE}/profile/{did}"


def hashtag_page(topic: str) -> str:
    """Return the web page of a hashtag."""
    return f"{SITE}/hashtag/{quote(topic, safe='')}"


def xrpc(base: str, method: str, query: Mapping[str, str | Sequence[str]]) -> str:
    """Return the address of a request."""
    pairs = [
        f"{name}={quote(value, safe=':')}"
        for name, values in query.items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    return f"{base}/xrpc/{method}?{'&'.join(pairs)}"
