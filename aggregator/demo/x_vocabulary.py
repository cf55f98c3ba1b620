"""Convert requests from the newer to the older vocabulary of X's API, and responses back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

OLDER_PARAMETER, NEWER_PARAMETER = "tweet.fields", "post.fields"
NEWER_FIELDS = frozenset(
    "article article_title attachments card_uri community_id context_annotations conversation_id created_at"  # noqa: SIM905  # forty quoted words read worse
    " display_text_range edit_controls entities geo id lang note_post possibly_sensitive public_metrics reply_settings"
    " scopes source text withheld".split()
)
NEWER_EXPANSIONS = frozenset(
    "article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet"  # noqa: SIM905  # as above
    " attachments.poll_ids author_id edit_history_post_ids entities.mentions.username geo.place_id in_reply_to_user_id"
    " referenced_posts".split()
)
_NEWER_NAMES = {
    "referenced_tweets": "referenced_posts",
    "note_tweet": "note_post",
    "edit_history_tweet_ids": "edit_history_post_ids",
    "tweets": "posts",
    "retweet_count": "repost_count",
}
_OLDER_PROBLEMS = "https://api.twitter.com/2/problems/"
_FIELDS = {"note_post": "note_tweet"}
_UNKNOWN_TO_US = frozenset(
    {"article_title", "card_uri", "community_id", "context_annotations", "geo", "scopes", "source"}
)
_EXPANSIONS = {
    "referenced_posts": (
        "referenced_tweets.id",
        "referenced_tweets.id.author_id",
        "referenced_tweets.id.attachments.media_keys",
    ),
    "edit_history_post_ids": ("edit_history_tweet_ids",),
}
# In the newer vocabulary, an expanded reference is also a field.
_IMPLIED = {
    "author_id": "author_id",
    "referenced_posts": "referenced_tweets",
    "in_reply_to_user_id": "in_reply_to_user_id",
}


def older_request(params: Mapping[str, str]) -> dict[str, str]:
    """Return a request in the older vocabulary; its fields and expansions are valid."""
    fields = set(filter(None, params.get(NEWER_PARAMETER, "").split(",")))
    expansions = set(filter(None, params.get("expansions", "").split(",")))
    names = {_FIELDS.get(name, name) for name in fields - _UNKNOWN_TO_US}
    names |= {_IMPLIED[name] for name in expansions & _IMPLIED.keys()}
    older = {expansion for name in expansions for expansion in _EXPANSIONS.get(name, (name,))}
    if "author_id" not in expansions:
        older.discard("referenced_tweets.id.author_id")
    kept = {name: value for name, value in params.items() if name not in {NEWER_PARAMETER, "expansions"}}
    return {**kept, OLDER_PARAMETER: ",".join(sorted(names)), "expansions": ",".join(sorted(older))}


def newer_answer(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a response in the newer vocabulary."""
    if isinstance(value, dict):
        return {_NEWER_NAMES.get(name, name): newer_answer(item) for name, item in value.items()}
    if isinstance(value, str) and value.startswith(_OLDER_PROBLEMS):
        return value.replace("api.twitter.com", "api.x.com", 1)
    return [newer_answer(item) for item in value] if isinstance(value, list) else value
