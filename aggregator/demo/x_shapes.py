"""Convert users, posts and media of the sample world to objects of X's API v2 with the requested fields."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from aggregator.demo.world import LONGEST_TEXT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from aggregator.demo.articles import Picture
    from aggregator.demo.world import Account, Post, World

EDITABLE = timedelta(hours=1)
MOST_EDITS = 5

_METRICS = ("retweet_count", "reply_count", "like_count", "quote_count", "bookmark_count", "impression_count")
_PICTURE_SIZE = (1200, 800)  # pixels
_LONGEST_SHOWN_ADDRESS = 30  # characters
_MENTION = re.compile(r"@([A-Za-z0-9_]{1,15})\b")
_HASHTAG = re.compile(r"#(\w+)")


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call; `base` is the URL of this upstream, without a trailing slash."""

    path: Mapping[str, str]
    params: Mapping[str, str]
    base: str

    def values(self, name: str) -> list[str]:
        """Return the values of a parameter of the path or of a list parameter."""
        given = self.path.get(name) or self.params.get(name, "")
        return [value for value in given.split(",") if value]


class Shapes:
    """Builds the API objects of the response to a call."""

    def __init__(self, world: World, call: ApiCall) -> None:
        self._world = world
        self._call = call

    def user(self, account: Account) -> dict[str, Any]:
        """Return an account as a user object."""
        whole = {
            "id": account.id,
            "name": account.name,
            "username": account.username,
            "profile_image_url": f"{self._call.base}/avatars/{account.username}.png",
            "protected": False,
            "verified": False,
            "verified_type": "none",
            "url": f"{self._call.base}/",
        }
        return self._chosen(whole, "user.fields", "id", "name", "username")

    def media(self, picture: Picture) -> dict[str, Any]:
        """Return a picture as a media object."""
        whole = {
            "media_key": picture.key,
            "type": "photo",
            "url": f"{self._call.base}/media/{picture.name}",
            "alt_text": picture.alt,
            "width": _PICTURE_SIZE[0],
            "height": _PICTURE_SIZE[1],
        }
        return self._chosen(whole, "media.fields", "media_key", "type")

    def tweet(self, post: Post) -> dict[str, Any]:
        """Return a post as a tweet object; a longer text is given in full in `note_tweet`."""
        is_long = len(post.text) > LONGEST_TEXT
        text = f"{post.text[: LONGEST_TEXT - 1]}…" if is_long else post.text
        references = {kind: str(id_) for kind, id_ in post.references}
        whole: dict[str, Any] = {
            "id": str(post.id),
            "text": _escaped(text),
            "edit_history_tweet_ids": [str(post.id)],
            "author_id": post.author,
            "conversation_id": references.get("replied_to", str(post.id)),
            "created_at": moment(post.created),
            "edit_controls": {
                "edits_remaining": MOST_EDITS,
                "is_edit_eligible": "retweeted" not in references,
                "editable_until": moment(post.created + EDITABLE),
            },
            "lang": post.lang,
            "possibly_sensitive": False,
            "public_metrics": dict.fromkeys(_METRICS, 0),
        }
        if references:
            whole["referenced_tweets"] = [{"type": kind, "id": id_} for kind, id_ in references.items()]
        if account := self.answered(post):
            whole["in_reply_to_user_id"] = account.id
        if post.picture:
            whole["attachments"] = {"media_keys": [post.picture.key]}
        if entities := self._entities(text, post):
            whole["entities"] = entities
        if is_long:
            whole["note_tweet"] = {"text": _escaped(post.text), "entities": self._entities(post.text, post)}
        return self._chosen(whole, "tweet.fields", "id", "text", "edit_history_tweet_ids")

    def answered(self, post: Post) -> Account | None:
        """Return the account that a post replies to."""
        for kind, id_ in post.references:
            if kind == "replied_to" and (original := self._world.post(id_)):
                return self._world.accounts[original.author]
        return None

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
        address = f"{self._call.base}{target}" if target.startswith("/") else target
        shown = address.partition("://")[2]
        if len(shown) > _LONGEST_SHOWN_ADDRESS:
            shown = f"{shown[:_LONGEST_SHOWN_ADDRESS]}…"
        return {"expanded_url": address, "display_url": shown}

    def _chosen(self, whole: dict[str, Any], parameter: str, *always: str) -> dict[str, Any]:
        chosen = {*always, *self._call.values(parameter)}
        return {name: value for name, value in whole.items() if name in chosen}


def _place(text: str, start: int, end: int) -> dict[str, int]:
    return {"start": len(_escaped(text[:start])), "end": len(_escaped(text[:end]))}


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def moment(time: datetime) -> str:
    """Return a time in X's format."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"
