"""Convert users, posts and media of the sample world to objects of X's API v2 with the requested fields."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.demo.world import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aggregator.demo.world import Account, Picture, Post, World

# The supported fields; X has more, which are empty in this world.
TWEET_FIELDS = frozenset(
    "article attachments author_id conversation_id created_at display_text_range edit_controls edit_history_tweet_ids"  # noqa: SIM905  # thirty quoted words read worse
    " entities id in_reply_to_user_id lang note_tweet possibly_sensitive public_metrics referenced_tweets"
    " reply_settings text withheld".split()
)
USER_FIELDS = frozenset(
    "created_at description entities id location name pinned_tweet_id profile_image_url protected public_metrics url"  # noqa: SIM905  # as above
    " username verified verified_type withheld".split()
)
MEDIA_FIELDS = frozenset(
    "alt_text duration_ms height media_key preview_image_url public_metrics type url variants width".split()  # noqa: SIM905  # as above
)

_ALWAYS_OF_TWEETS = frozenset({"id", "text", "edit_history_tweet_ids"})
_ALWAYS_OF_USERS = frozenset({"id", "name", "username"})
_ALWAYS_OF_MEDIA = frozenset({"media_key", "type"})
_EDITABLE = timedelta(hours=1)
_PICTURE_SIZE = (1200, 800)  # pixels
_LONGEST_SHOWN_ADDRESS = 30  # characters
_MENTION = re.compile(r"@([A-Za-z0-9_]{1,15})\b")
_HASHTAG = re.compile(r"#(\w+)")


class Shapes:
    """Builds API objects; `base` is the URL of this upstream, without a trailing slash."""

    def __init__(self, world: World, base: str) -> None:
        self._world = world
        self._base = base

    def user(self, account: Account, fields: Iterable[str]) -> dict[str, Any]:
        """Return an account as a user object."""
        whole = {
            "id": account.id,
            "name": account.name,
            "username": account.username,
            "created_at": _moment(datetime(2011, 9, 20, tzinfo=UTC)),
            "description": account.description,
            "profile_image_url": f"{self._base}/avatars/{account.username}.svg",
            "protected": self._world.restricted.get(account.id) == "protected",
            "verified": False,
            "verified_type": "none",
            "url": f"{self._base}/",
        }
        return _chosen(whole, _ALWAYS_OF_USERS, fields)

    def media(self, picture: Picture, fields: Iterable[str]) -> dict[str, Any]:
        """Return a picture as a media object."""
        whole = {
            "media_key": picture.key,
            "type": "photo",
            "url": f"{self._base}/media/{picture.name}",
            "alt_text": picture.alt,
            "width": _PICTURE_SIZE[0],
            "height": _PICTURE_SIZE[1],
        }
        return _chosen(whole, _ALWAYS_OF_MEDIA, fields)

    def tweet(self, post: Post, fields: Iterable[str]) -> dict[str, Any]:
        """Return a post as a tweet object; a longer text is given in full in `note_tweet`."""
        is_long = len(post.text) > LONGEST_TEXT
        text = f"{post.text[: LONGEST_TEXT - 1]}…" if is_long else post.text
        whole: dict[str, Any] = {
            "id": str(post.id),
            "text": _escaped(text),
            "edit_history_tweet_ids": [str(id_) for id_ in post.history or (post.id,)],
            "author_id": post.author,
            "conversation_id": str(self._conversation(post)),
            "created_at": _moment(post.created),
            "edit_controls": {
                "edits_remaining": max(6 - len(post.history or (post.id,)), 0),
                "is_edit_eligible": not any(kind == "retweeted" for kind, _ in post.references),
                "editable_until": _moment(self._first(post).created + _EDITABLE),
            },
            "lang": post.lang,
            "possibly_sensitive": False,
            "public_metrics": dict.fromkeys(
                ("retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count"), 0
            ),
            "reply_settings": "everyone",
        }
        if post.withheld:
            whole["withheld"] = {"copyright": "XY" in post.withheld, "country_codes": list(post.withheld)}
        if post.references:
            whole["referenced_tweets"] = [{"type": kind, "id": str(id_)} for kind, id_ in post.references]
        if (account := self.answered(post)) is not None:
            whole["in_reply_to_user_id"] = account.id
        if post.picture:
            whole["attachments"] = {"media_keys": [post.picture.key]}
        if entities := self._entities(text, post):
            whole["entities"] = entities
        if is_long:
            whole["note_tweet"] = {"text": _escaped(post.text), "entities": self._entities(post.text, post)}
        return _chosen(whole, _ALWAYS_OF_TWEETS, fields)

    def answered(self, post: Post) -> Account | None:
        """Return the account that a post replies to."""
        for kind, id_ in post.references:
            if kind == "replied_to" and (original := self._world.post(id_)):
                return self._world.accounts[original.author]
        return None

    def _first(self, post: Post) -> Post:
        return self._world.post(post.first) or post

    def _conversation(self, post: Post) -> int:
        return next((id_ for kind, id_ in post.references if kind == "replied_to"), post.id)

    def _entities(self, text: str, post: Post) -> dict[str, Any]:
        """Find entities in an unescaped text; offsets refer to the escaped text, in code points."""
        mentions = [
            self._mention(match[1]) | _place(text, match.start(), match.end()) for match in _MENTION.finditer(text)
        ]
        hashtags = [{"tag": match[1]} | _place(text, match.start(), match.end()) for match in _HASHTAG.finditer(text)]
        urls = []
        for wrapped, target in post.links:
            start = text.find(wrapped)
            if start >= 0:
                urls.append({"url": wrapped} | self._target(post, target) | _place(text, start, start + len(wrapped)))
        found = {"mentions": mentions, "hashtags": hashtags, "urls": urls}
        return {name: entities for name, entities in found.items() if entities}

    def _mention(self, username: str) -> dict[str, Any]:
        account = self._world.by_username.get(username.casefold())
        return {"username": username} | ({"id": account.id} if account else {})

    def _target(self, post: Post, target: str) -> dict[str, Any]:
        if post.picture is not None and target == "photo":
            username = self._world.accounts[post.author].username
            address = f"https://x.com/{username}/status/{post.id}/photo/1"
            return {
                "expanded_url": address,
                "display_url": f"pic.x.com/{post.id % 10**10}",
                "media_key": post.picture.key,
            }
        address = f"{self._base}{target}" if target.startswith("/") else target
        shown = address.partition("://")[2]
        if len(shown) > _LONGEST_SHOWN_ADDRESS:
            shown = f"{shown[:_LONGEST_SHOWN_ADDRESS]}…"
        return {"expanded_url": address, "display_url": shown}


def _chosen(whole: dict[str, Any], always: frozenset[str], fields: Iterable[str]) -> dict[str, Any]:
    chosen = always | frozenset(fields)
    return {name: value for name, value in whole.items() if name in chosen}


def _place(text: str, start: int, end: int) -> dict[str, int]:
    return {"start": len(_escaped(text[:start])), "end": len(_escaped(text[:end]))}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
