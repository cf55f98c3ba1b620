"""The X-shaped API v2 of the sample world: users and timelines as X's published contract has them."""

from __future__ import annotations

import math
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from aggregator.demo.x_shapes import MEDIA_FIELDS, TWEET_FIELDS, USER_FIELDS, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from starlette.requests import Request

    from aggregator.demo.world import Account, Post, World

SAMPLE_TOKEN = "sample-bearer-token"  # noqa: S105  # it opens nothing but this sample
WINDOW = 15 * 60  # seconds

_EXPANSIONS = frozenset(
    {
        "author_id",
        "referenced_tweets.id",
        "referenced_tweets.id.author_id",
        "attachments.media_keys",
        "referenced_tweets.id.attachments.media_keys",
        "in_reply_to_user_id",
        "edit_history_tweet_ids",
        "entities.mentions.username",
    }
)
_PROBLEMS = "https://api.twitter.com/2/problems"
_DIGITS = string.digits + string.ascii_lowercase
_NUMBER = re.compile(r"[0-9]{1,19}")
_USERNAME = re.compile(r"[A-Za-z0-9_]{1,15}")
_MOST_USERS = 100


class _InvalidError(Exception):
    """A parameter that X would refuse."""

    def __init__(self, name: str, value: str, message: str) -> None:
        super().__init__(message)
        self.name, self.value = name, value


@dataclass(frozen=True, slots=True)
class _Asked:
    """The fields and expansions of a request."""

    tweet: frozenset[str]
    user: frozenset[str]
    media: frozenset[str]
    expansions: frozenset[str]


class XApi:
    """The routes of the API. `limit` is the number of calls per endpoint in a window of 15 minutes."""

    def __init__(self, world: World, clock: Callable[[], datetime], limit: int) -> None:
        self.limit = limit
        self._world = world
        self._clock = clock
        self._used: dict[tuple[str, int], int] = {}

    def routes(self) -> list[Route]:
        """Return the routes, each behind the token and the rate limit."""
        return [
            Route("/2/users/by/username/{username}", self._guarded("username", self._by_username)),
            Route("/2/users/{id}/tweets", self._guarded("tweets", self._timeline)),
            Route("/2/users/{id}", self._guarded("user", self._user)),
            Route("/2/users", self._guarded("users", self._users)),
        ]

    def _guarded(self, endpoint: str, answer: Callable[[Request], dict[str, Any]]) -> Callable[[Request], JSONResponse]:
        def guarded(request: Request) -> JSONResponse:
            if request.headers.get("authorization") != f"Bearer {SAMPLE_TOKEN}":
                return _generic(401, "Unauthorized", {})
            headers, is_over = self._counted(endpoint)
            if is_over:
                return _generic(429, "Too Many Requests", headers)
            try:
                return JSONResponse(answer(request), headers=headers)
            except _InvalidError as error:
                return _invalid(error, headers)

        return guarded

    def _counted(self, endpoint: str) -> tuple[dict[str, str], bool]:
        now = self._clock().timestamp()
        window = math.floor(now / WINDOW)
        used = self._used.get((endpoint, window), 0) + 1
        self._used = {key: count for key, count in self._used.items() if key[1] == window}
        self._used[endpoint, window] = used
        headers = {
            "x-rate-limit-limit": str(self.limit),
            "x-rate-limit-remaining": str(max(self.limit - used, 0)),
            "x-rate-limit-reset": str((window + 1) * WINDOW),
        }
        return headers, used > self.limit

    def _by_username(self, request: Request) -> dict[str, Any]:
        username = request.path_params["username"]
        if not _USERNAME.fullmatch(username):
            message = f"The `username` query parameter value [{username}] does not match ^[A-Za-z0-9_]{{1,15}}$"
            raise _InvalidError("username", username, message)
        account = self._world.by_username.get(username.casefold())
        if account is None:
            return {"errors": [_missing_user("username", username)]}
        return {"data": self._shapes(request).user(account, _asked(request).user)}

    def _user(self, request: Request) -> dict[str, Any]:
        user_id = _id(request.path_params["id"], "id")
        account = self._world.accounts.get(user_id)
        if account is None:
            return {"errors": [_missing_user("id", user_id)]}
        return {"data": self._shapes(request).user(account, _asked(request).user)}

    def _users(self, request: Request) -> dict[str, Any]:
        ids = [_id(text, "ids") for text in request.query_params.get("ids", "").split(",")]
        if len(ids) > _MOST_USERS:
            raise _InvalidError(
                "ids", str(len(ids)), f"The number of values in the `ids` query parameter is not <= {_MOST_USERS}"
            )
        shapes, fields = self._shapes(request), _asked(request).user
        found = [shapes.user(self._world.accounts[id_], fields) for id_ in ids if id_ in self._world.accounts]
        missing = [_missing_user("ids", id_) for id_ in ids if id_ not in self._world.accounts]
        return ({"data": found} if found else {}) | ({"errors": missing} if missing else {})

    def _timeline(self, request: Request) -> dict[str, Any]:
        user_id = _id(request.path_params["id"], "id")
        asked = _asked(request)
        size = _size(request)
        if user_id not in self._world.accounts:
            return {"errors": [_missing_user("id", user_id)]}
        posts = _within(self._world.timeline(user_id), request)
        page = posts[:size]
        if not page:
            return {"meta": {"result_count": 0}}
        meta: dict[str, Any] = {"result_count": len(page), "newest_id": str(page[0].id), "oldest_id": str(page[-1].id)}
        if len(posts) > size:
            meta["next_token"] = _base36(page[-1].id)
        shapes = self._shapes(request)
        answer: dict[str, Any] = {"data": [shapes.tweet(post, asked.tweet) for post in page]}
        if includes := self._includes(page, asked, shapes):
            answer["includes"] = includes
        return answer | {"meta": meta}

    def _includes(self, page: list[Post], asked: _Asked, shapes: Shapes) -> dict[str, Any]:
        about = [found for post in page for _, id_ in post.references if (found := self._world.post(id_))]
        about = list({post.id: post for post in about}.values()) if _names_references(asked.expansions) else []
        users: list[Account] = []
        if "author_id" in asked.expansions:
            users += [self._world.accounts[post.author] for post in page]
        if "referenced_tweets.id.author_id" in asked.expansions:
            users += [self._world.accounts[post.author] for post in about]
        if "in_reply_to_user_id" in asked.expansions:
            users += [account for post in page if (account := shapes.answered(post))]
        pictures = [p.picture for p in page if "attachments.media_keys" in asked.expansions and p.picture]
        if "referenced_tweets.id.attachments.media_keys" in asked.expansions:
            pictures += [post.picture for post in about if post.picture]
        includes = {
            "users": [shapes.user(account, asked.user) for account in dict.fromkeys(users)],
            "tweets": [shapes.tweet(post, asked.tweet) for post in about],
            "media": [shapes.media(picture, asked.media) for picture in dict.fromkeys(pictures)],
        }
        return {name: found for name, found in includes.items() if found}

    def _shapes(self, request: Request) -> Shapes:
        return Shapes(self._world, str(request.base_url).rstrip("/"))


def _names_references(expansions: Iterable[str]) -> bool:
    return any(name.startswith("referenced_tweets.id") for name in expansions)


def _asked(request: Request) -> _Asked:
    return _Asked(
        _choice(request, "tweet.fields", TWEET_FIELDS),
        _choice(request, "user.fields", USER_FIELDS),
        _choice(request, "media.fields", MEDIA_FIELDS),
        _choice(request, "expansions", _EXPANSIONS),
    )


def _choice(request: Request, name: str, known: Iterable[str]) -> frozenset[str]:
    given = frozenset(filter(None, request.query_params.get(name, "").split(",")))
    for value in sorted(given - frozenset(known)):
        raise _InvalidError(
            name, value, f"The `{name}` query parameter value [{value}] is not one of [{','.join(sorted(known))}]"
        )
    return given


def _size(request: Request) -> int:
    text = request.query_params.get("max_results", "10")
    if not text.isdigit() or not 5 <= int(text) <= 100:  # noqa: PLR2004  # X's own bounds
        raise _InvalidError(
            "max_results", text, f"The `max_results` query parameter value [{text}] is not between 5 and 100"
        )
    return int(text)


def _within(posts: list[Post], request: Request) -> list[Post]:
    params = request.query_params
    exclude = _choice(request, "exclude", {"replies", "retweets"})
    unwanted = {"replied_to" if name == "replies" else "retweeted" for name in exclude}
    since = int(_id(params["since_id"], "since_id")) if "since_id" in params else 0
    bounds = [int(_id(params["until_id"], "until_id"))] if "until_id" in params else []
    if token := params.get("pagination_token"):
        if not set(token) <= set(_DIGITS):
            raise _InvalidError(
                "pagination_token", token, f"The `pagination_token` query parameter value [{token}] is not valid"
            )
        bounds.append(int(token, 36))
    return [
        post
        for post in posts
        if post.id > since
        and all(post.id < bound for bound in bounds)
        and not unwanted & {kind for kind, _ in post.references}
    ]


def _id(text: str, name: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise _InvalidError(name, text, f"The `{name}` query parameter value [{text}] is not valid")
    return text


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits


def _missing_user(parameter: str, value: str) -> dict[str, str]:
    return {
        "value": value,
        "detail": f"Could not find user with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": "user",
        "parameter": parameter,
        "resource_id": value,
        "type": f"{_PROBLEMS}/resource-not-found",
    }


def _generic(status: int, title: str, headers: dict[str, str]) -> JSONResponse:
    body = {"title": title, "type": "about:blank", "status": status, "detail": title}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


def _invalid(error: _InvalidError, headers: dict[str, str]) -> JSONResponse:
    body = {
        "errors": [{"parameters": {error.name: [error.value]}, "message": str(error)}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{_PROBLEMS}/invalid-request",
    }
    return JSONResponse(body, status_code=400, headers=headers, media_type="application/problem+json")
