"""Convert statuses of Mastodon's API to activities. Pure."""

from __future__ import annotations

import hashlib
import html as entities
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from aggregator.domain.activity import ActivityKind, Actor, Content, Link, Media, Mention, NewActivity, Original, Poll
from aggregator.domain.errors import UnreadableError
from aggregator.domain.polling.results import UnreadEntry
from aggregator.source_api.untrusted_json import (
    Record,
    address,
    compact,
    decoded,
    moment,
    record,
    records,
    seconds,
    text,
    whole,
    without,
)
from aggregator.sources.mastodon.addresses import is_id
from aggregator.sources.mastodon.network import API, NETWORK
from aggregator.text.html import clean_html, text_of_clean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_STATUSES = 80  # in a response; servers send 40 at most

_ODD = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # from a status with another structure
_MEDIA = {"image": "image", "gifv": "animation", "video": "video", "audio": "audio"}
# These change without an edit.
_VOLATILE = frozenset(
    (
        "replies_count",
        "reblogs_count",
        "favourites_count",
        "quotes_count",
        "votes_count",
        "voters_count",
        "expired",
        "followers_count",
        "following_count",
        "statuses_count",
        "last_status_at",
        "note",
        "fields",
        "header",
        "header_static",
        "emoji_reactions",
        "pleroma",
        "application",
        "card",
        "quote_approval",
        "blurhash",
        "preview_url",
        "roles",
        "emojis",
    )
)
_LONGEST_WARNING = 500  # characters


@dataclass(frozen=True, slots=True)
class Reading:
    """What a response contains."""

    activities: list[NewActivity] = field(default_factory=list)  # oldest first
    unread: list[UnreadEntry] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)  # id on this server -> key, newest first; of stored statuses
    all_ids: list[str] = field(default_factory=list)  # of all statuses in the response, in its order
    left_out: list[str] = field(default_factory=list)  # ids of those that are not public


def read_statuses(body: bytes, server: str, unlisted: bool = False) -> Reading:
    """Convert a list of statuses, each separately, so that an odd one costs no other.

    Args:
        body: the response of `GET /api/v1/accounts/:id/statuses` or `/api/v1/timelines/tag/:tag`.
        server: the base URL of the server, for links.
        unlisted: whether unlisted statuses are wanted.

    Raises:
        UnreadableError: it is no such list.
    """
    found = decoded(body, API)
    if not isinstance(found, list):
        raise UnreadableError(f"The response of {server} is not a list of statuses.")
    reading = Reading()
    page = [status for status in records(found)[:MOST_STATUSES] if is_id(status.get("id"))]
    parents = {status["id"]: status for status in page}
    for status in page:
        reading.all_ids.append(status["id"])
        _read(status, parents, server, reading, unlisted=unlisted)
    reading.activities.reverse()
    return reading


def read_again(raw: bytes) -> list[NewActivity]:
    """Convert a status that a former version could not read, as it was kept."""
    kept = record(decoded(raw, API))
    status, server = record(kept.get("status")), text(kept.get("server"))
    reading = Reading()
    _read(status, {status.get("id", ""): status}, server, reading, unlisted=True)
    return reading.activities


def _read(status: Record, parents: Mapping[str, Record], server: str, reading: Reading, *, unlisted: bool) -> None:
    allowed = {"public", "unlisted"} if unlisted else {"public"}
    inner = status.get("reblog")
    seen_by = {text(shown.get("visibility")) for shown in ([status, record(inner)] if inner else [status])}
    if not seen_by <= allowed:
        reading.left_out.append(status["id"])
        return
    try:
        activity = _activity(status, parents, server)
    except _ODD as problem:
        raw = compact({"status": status, "server": server})
        reason = f"{type(problem).__name__}: {problem}"[:200]
        reading.unread.append(UnreadEntry(_uri(status, server), f"{NETWORK}:{_uri(status, server)}", reason, raw))
        return
    reading.activities.append(activity)
    reading.ids[status["id"]] = activity.key


def _activity(status: Record, parents: Mapping[str, Record], server: str) -> NewActivity:
    uri = _uri(status, server)
    boosted = status.get("reblog")
    object_ = _original(record(boosted), server) if boosted else _quoted(status, server)
    content = _boost(status, record(boosted), server) if boosted else _content(status, server)
    about = object_.key if object_ else None
    return NewActivity(
        native_id=uri,
        key=f"{NETWORK}:{uri}",
        content=content,
        entry_digest=hashlib.sha256(compact(without(status, _VOLATILE))).hexdigest(),
        object=object_,
        object_key=about,
        raw=compact({"status": status, "server": server}),
        thread=None if boosted else _thread(status, parents, server),
    )


def _uri(status: Record, server: str) -> str:
    """Return the global id of a status; it is the same on every server."""
    uri = status.get("uri")
    return uri if isinstance(uri, str) and uri else f"{server}/statuses/{status['id']}"


def _original(status: Record, server: str) -> Original:
    if not is_id(status.get("id")):
        raise ValueError("an original without an id")
    uri = _uri(status, server)
    quoted = _quoted(status, server)
    return Original(f"{NETWORK}:{uri}", uri, _content(status, server), quoted)


def _quoted(status: Record, server: str) -> Original | None:
    """Return the quoted status, if its author accepted the quote and it still exists."""
    quote = record(status.get("quote"))
    quoted = record(quote.get("quoted_status")) if "state" in quote else quote  # older forks give the status itself
    accepted = quote.get("state", "accepted") == "accepted"
    public = text(quoted.get("visibility", "public")) in {"public", "unlisted"}
    if not (accepted and public and is_id(quoted.get("id"))):
        return None
    uri = _uri(quoted, server)
    return Original(f"{NETWORK}:{uri}", uri, replace(_content(quoted, server), quote_of=None))


def _boost(status: Record, boosted: Record, server: str) -> Content:
    return Content(
        kind=ActivityKind.REPOST,
        network=NETWORK,
        url=address(boosted.get("url")) or address(boosted.get("uri")),
        actor=actor_of(record(status.get("account")), server),
        lang=_language(boosted),
        published=moment(status.get("created_at")),
        sensitive=boosted.get("sensitive") is True,
    )


def _content(status: Record, server: str) -> Content:
    warning = text(status.get("spoiler_text"), _LONGEST_WARNING).strip()
    html = clean_html(text(status.get("content"), 1_000_000), server)
    words = text_of_clean(html)
    if warning:
        shown = f"<summary>{entities.escape(warning)}</summary>{html}"
        html, words = f"<details>{shown}</details>", f"{warning}\n\n{words}".strip()
    edited = moment(status.get("edited_at"))
    quote_of, complete = _quote_state(status)
    return Content(
        kind=_kind(status),
        network=NETWORK,
        url=address(status.get("url")) or address(status.get("uri")),
        actor=actor_of(record(status.get("account")), server),
        text=words,
        html=html,
        lang=_language(status),
        published=moment(status.get("created_at")),
        updated=edited,
        media=tuple(_media(records(status.get("media_attachments")))),
        links=_card(record(status.get("card"))),
        hashtags=_hashtags(records(status.get("tags"))),
        mentions=tuple(_mentions(records(status.get("mentions")))),
        sensitive=status.get("sensitive") is True or bool(warning),
        edited=edited is not None,
        complete=complete,
        in_reply_to=_answered(status, server),
        quote_of=quote_of,
        poll=_poll(record(status.get("poll"))),
    )


def _kind(status: Record) -> ActivityKind:
    if status.get("in_reply_to_id"):
        return ActivityKind.REPLY
    return ActivityKind.QUOTE if status.get("quote") else ActivityKind.POST


def _quote_state(status: Record) -> tuple[str | None, bool]:
    """Return the address of the quoted status, and whether everything is there that its author allows.

    A quote that was revoked, rejected, deleted or blocked is shown without the quoted status.
    """
    quote = record(status.get("quote"))
    if not quote:
        return None, True
    quoted = record(quote.get("quoted_status")) if "state" in quote else quote
    if quote.get("state", "accepted") != "accepted":
        return None, True
    url = address(quoted.get("url")) or address(quoted.get("uri"))
    return url, True


def _media(attachments: Sequence[Record]) -> list[Media]:
    found = []
    for item in attachments:
        url = address(item.get("url")) or address(item.get("remote_url"))
        if url is None:
            continue
        meta = record(item.get("meta"))
        original = record(meta.get("original"))
        found.append(
            Media(
                type=_MEDIA.get(text(item.get("type")), "file"),
                url=url,
                alt=text(item.get("description"), 5000).strip() or None,
                width=whole(original.get("width")),
                height=whole(original.get("height")),
                duration=seconds(original.get("duration")) or seconds(meta.get("duration")),
                preview=address(item.get("preview_url")) if item.get("type") != "image" else None,
            )
        )
    return found


def _card(card: Record) -> tuple[Link, ...]:
    url = address(card.get("url"))
    if url is None:
        return ()
    title, description = text(card.get("title"), 500).strip(), text(card.get("description"), 2000).strip()
    return (Link(url, title=title or None, description=description or None, image=address(card.get("image"))),)


def _hashtags(tags: Sequence[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text(tag.get("name"), 200) for tag in tags if text(tag.get("name"))))


def _mentions(mentions: Sequence[Record]) -> list[Mention]:
    return [
        Mention(text(found.get("acct"), 300), text(found.get("id"), 100) or None, address(found.get("url")))
        for found in mentions
        if text(found.get("acct"))
    ]


def _poll(poll: Record) -> Poll | None:
    options = tuple(text(option.get("title"), 500) for option in records(poll.get("options"))[:50])
    return Poll(options, moment(poll.get("expires_at"))) if options else None


def _answered(status: Record, server: str) -> str | None:
    """Return the address of the answered status on the polled server, which leads on to the original."""
    answered, author = status.get("in_reply_to_id"), status.get("in_reply_to_account_id")
    if not is_id(answered):
        return None
    account = record(status.get("account"))
    if author == account.get("id"):
        name = text(account.get("acct"))
    else:
        name = next((text(m.get("acct")) for m in records(status.get("mentions")) if m.get("id") == author), "")
    return f"{server}/@{name}/{answered}" if name else f"{server}/statuses/{answered}"


def _thread(status: Record, parents: Mapping[str, Record], server: str) -> str | None:
    """Return the key of the thread that a status continues: its author's replies to themselves."""
    account = record(status.get("account")).get("id")
    if not is_id(account) or status.get("in_reply_to_account_id") not in {None, account}:
        return None
    first, seen = status, {status["id"]}
    while is_id(first.get("in_reply_to_id")) and first.get("in_reply_to_account_id") == account:
        before = parents.get(first["in_reply_to_id"])
        if before is None or before["id"] in seen:
            return f"{NETWORK}:{server}/statuses/{first['in_reply_to_id']}@{account}"
        first = before
        seen.add(first["id"])
    return f"{NETWORK}:{server}/statuses/{first['id']}@{account}"


def actor_of(account: Record, server: str) -> Actor | None:
    """Return the author for an Account entity."""
    if not is_id(account.get("id")):
        return None
    name = text(account.get("acct"), 300) or text(account.get("username"), 300)
    host = server.partition("://")[2]
    handle = name if "@" in name or not name else f"{name}@{host}"
    return Actor(
        NETWORK,
        text(account.get("uri"), 1000) or f"{handle or account['id']}",
        text(account.get("display_name"), 300).strip() or name or str(account["id"]),
        handle or None,
        address(account.get("url")),
        address(account.get("avatar_static")) or address(account.get("avatar")),
    )


def _language(status: Record) -> str | None:
    return text(status.get("language"), 35) or None
