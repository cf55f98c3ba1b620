"""Convert calls from the newer to the older vocabulary of X's API, and responses back. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.x_api.parameters import check_choice
from tests.x_api.problems import InvalidError

if TYPE_CHECKING:
    from aggregator.demo.x_shapes import ApiCall

OLDER_PARAMETER, NEWER_PARAMETER = "tweet.fields", "post.fields"
_FIELDS = frozenset(
    "article article_title attachments card_uri community_id context_annotations conversation_id created_at"  # noqa: SIM905  # forty quoted words read worse
    " display_text_range edit_controls entities geo id lang note_post possibly_sensitive public_metrics reply_settings"
    " scopes source text withheld".split()
)
_EXPANSIONS = frozenset(
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
_OLDER_FIELDS = {"note_post": "note_tweet"}
_UNKNOWN_TO_US = frozenset(
    {"article_title", "card_uri", "community_id", "context_annotations", "geo", "scopes", "source"}
)
_OLDER_EXPANSIONS = {
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


def is_newer(call: ApiCall, vocabulary: str) -> bool:
    """Return whether a call is in the newer vocabulary; an X of a single vocabulary takes any call as its own.

    Raises:
        InvalidError: this X does not support its vocabulary.
    """
    known = {"tweets": [OLDER_PARAMETER], "posts": [NEWER_PARAMETER]}.get(
        vocabulary, [OLDER_PARAMETER, NEWER_PARAMETER]
    )
    for name in (OLDER_PARAMETER, NEWER_PARAMETER):
        if name in call.params and name not in known:
            message = f"The query parameter [{name}] is not one of [id,{','.join(known)},expansions,media.fields]"
            raise InvalidError(name, call.params[name], message)
    return vocabulary == "posts" or (vocabulary == "both" and NEWER_PARAMETER in call.params)


def older_call(call: ApiCall) -> ApiCall:
    """Return a call in the older vocabulary.

    Raises:
        InvalidError: X does not know a field or an expansion.
    """
    check_choice(call, NEWER_PARAMETER, _FIELDS)
    check_choice(call, "expansions", _EXPANSIONS)
    fields, expansions = set(call.values(NEWER_PARAMETER)), set(call.values("expansions"))
    names = {_OLDER_FIELDS.get(name, name) for name in fields - _UNKNOWN_TO_US}
    names |= {_IMPLIED[name] for name in expansions & _IMPLIED.keys()}
    older = {expansion for name in expansions for expansion in _OLDER_EXPANSIONS.get(name, (name,))}
    if "author_id" not in expansions:
        older.discard("referenced_tweets.id.author_id")
    kept = {name: value for name, value in call.params.items() if name not in {NEWER_PARAMETER, "expansions"}}
    changed = {OLDER_PARAMETER: ",".join(sorted(names)), "expansions": ",".join(sorted(older))}
    return replace(call, params={**kept, **changed})


def newer_answer(value: Any) -> Any:
    """Return a response in the newer vocabulary."""
    if isinstance(value, dict):
        return {_NEWER_NAMES.get(name, name): newer_answer(item) for name, item in value.items()}
    if isinstance(value, str) and value.startswith(_OLDER_PROBLEMS):
        return value.replace("api.twitter.com", "api.x.com", 1)
    return [newer_answer(item) for item in value] if isinstance(value, list) else value
