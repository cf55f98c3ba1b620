"""List the fields and expansions requested from X, in both vocabularies of its API. Data.

X renamed parameters, expansions and fields in its API description 2.167 of 2026-08 (`tweet` became `post`). Responses
are read in both vocabularies; requests use one of them.

No expansion requests the author of each post: each returned account is billed every day, and names and pictures seldom
change, so profiles are refreshed together once a week. The newer vocabulary has no other way to get the author of an
embedded post.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Fields = Mapping[str, Sequence[str]]

USER_FIELDS = [
    "id", "name", "username", "profile_image_url", "verified", "verified_type", "protected", "withheld", "url",
]  # fmt: skip
LIST_FIELDS = ["id", "name", "member_count", "private"]
_MEDIA_FIELDS = [
    "media_key", "type", "url", "preview_image_url", "alt_text", "width", "height", "duration_ms", "variants",
]  # fmt: skip
_POLL_FIELDS = ["id", "options", "end_datetime"]  # no state and no counts: they change without an edit

# Keyed by tweepy's parameter name; tweepy passes unknown names on unchanged.
POSTS: Mapping[str, Fields] = {
    "tweets": {
        "tweet_fields": [
            "id", "text", "created_at", "author_id", "conversation_id", "in_reply_to_user_id", "referenced_tweets",
            "entities", "attachments", "public_metrics", "lang", "possibly_sensitive", "withheld", "edit_controls",
            "edit_history_tweet_ids", "note_tweet", "display_text_range", "article",
        ],
        "expansions": [
            "referenced_tweets.id", "attachments.media_keys", "referenced_tweets.id.attachments.media_keys",
            "attachments.poll_ids", "article.cover_media",
        ],
        "media_fields": _MEDIA_FIELDS,
        "poll_fields": _POLL_FIELDS,
    },
    "posts": {
        "post.fields": [
            "id", "text", "created_at", "conversation_id", "entities", "attachments", "public_metrics", "lang",
            "possibly_sensitive", "withheld", "edit_controls", "note_post", "article",
        ],
        "expansions": [
            "author_id", "referenced_posts", "attachments.media_keys", "in_reply_to_user_id", "edit_history_post_ids",
            "attachments.poll_ids", "article.cover_media",
        ],
        "media_fields": _MEDIA_FIELDS,
        "poll_fields": _POLL_FIELDS,
        "user_fields": USER_FIELDS,
    },
}  # fmt: skip
# Where only ids are stored: X bills no object besides the post itself. It returns the text in any case.
IDS_ONLY: Mapping[str, Fields] = {
    "tweets": {
        "tweet_fields": ["id", "created_at", "author_id", "in_reply_to_user_id", "referenced_tweets", "withheld",
                         "edit_history_tweet_ids"],
    },
    "posts": {"post.fields": ["id", "created_at", "withheld"]},
}  # fmt: skip
# The fields that are kept of a post, in both vocabularies.
_IDS = frozenset({
    "id", "created_at", "author_id", "in_reply_to_user_id", "withheld", "referenced_tweets", "referenced_posts",
    "edit_history_tweet_ids", "edit_history_post_ids",
})  # fmt: skip
VOCABULARIES = tuple(POSTS)
MOST_PER_POST = 3  # a post with its replied-to and its quoted post
MOST_PEOPLE_PER_POST = {"tweets": 0, "posts": 4}  # their authors and the replied-to account, if expanded


def without_content(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a page of posts without their content, since X sends the text of a post unrequested."""
    kept = {name: payload[name] for name in ("data", "errors", "meta") if name in payload}
    if isinstance(kept.get("data"), list):
        posts = (post if isinstance(post, dict) else {} for post in kept["data"])
        kept["data"] = [{name: value for name, value in post.items() if name in _IDS} for post in posts]
    return kept
