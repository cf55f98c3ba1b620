"""Serve the part of X's API v2 that the demonstration calls, on the sample world.

Its worker and commands look up accounts, timelines and stored posts, and read the usage count.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import JSONResponse
from starlette.routing import Route

from aggregator.demo.x_shapes import ApiCall, Shapes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.demo.world import Account, Post, World

    Payload = dict[str, Any]
    Error = dict[str, str]
    Answer = Callable[[ApiCall], Payload | Response]

SAMPLE_TOKEN = "sample-bearer-token"  # noqa: S105  # it opens nothing but this sample
PROBLEMS = "https://api.twitter.com/2/problems"
RATE_LIMIT = 900  # calls per endpoint in a window
WINDOW = 15 * 60  # seconds
PROJECT_CAP = 3_000_000  # posts a month

_EXCLUDED = {"replies": "replied_to", "retweets": "retweeted"}

T = TypeVar("T")


class XApi:
    """The API. `limits` are the calls of each endpoint in a window."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.limits: defaultdict[str, int] = defaultdict(lambda: RATE_LIMIT)
        self._calls: Counter[tuple[str, int]] = Counter()  # by endpoint and end of the window
        self._returned: set[tuple[int, int]] = set()  # (day, id) of posts

    def routes(self) -> list[Route]:
        """Return the routes; calls of other endpoints are refused."""
        routes = [Route(path, partial(self.respond, path, answer)) for path, answer in self.endpoints().items()]
        others = partial(self.respond, "others", lambda _: not_included())
        return [*routes, Route("/2/{path:path}", others, methods=["GET", "POST"])]

    def endpoints(self) -> dict[str, Answer]:
        """Return the function of each endpoint."""
        return {
            "/2/users/by/username/{username}": partial(self.users, "username"),
            "/2/users/by": partial(self.users, "usernames"),
            "/2/users/{id}/tweets": self.timeline,
            "/2/users": partial(self.users, "ids"),
            "/2/tweets": lambda call: self.payload([self.post("ids", id_) for id_ in call.values("ids")], call),
            "/2/usage/tweets": self.usage,
        }

    def respond(self, endpoint: str, answer: Answer, request: Request) -> Response:
        """Answer a call that has the token and is within the rate limit."""
        if not self.is_allowed(request.headers.get("authorization", "")):
            return problem(401, "Unauthorized")
        reset, limit = (int(self.world.clock().timestamp()) // WINDOW + 1) * WINDOW, self.limits[endpoint]
        self._calls[endpoint, reset] += 1
        remaining = limit - self._calls[endpoint, reset]
        call = ApiCall(request.path_params, dict(request.query_params), str(request.base_url).rstrip("/"))
        answered = answer(call) if remaining >= 0 else problem(429, "Too Many Requests")
        response = JSONResponse(answered) if isinstance(answered, dict) else answered
        response.headers["x-rate-limit-limit"] = str(limit)
        response.headers["x-rate-limit-remaining"] = str(max(remaining, 0))
        response.headers["x-rate-limit-reset"] = str(reset)
        return response

    def is_allowed(self, authorization: str) -> bool:
        """Return whether a call has a valid token."""
        return authorization == f"Bearer {SAMPLE_TOKEN}"

    def users(self, parameter: str, call: ApiCall) -> Payload:
        """Return the accounts that a parameter names."""
        accounts, errors = split(self.user(parameter, value) for value in call.values(parameter))
        users = [self.shapes(call).user(account) for account in accounts]
        return nonempty(data=users[0] if users and parameter in call.path else users, errors=errors)

    def timeline(self, call: ApiCall) -> Payload:
        """Return a page of an account's posts."""
        account = self.user("id", call.path["id"])
        if isinstance(account, dict):
            return {"errors": [account]}
        return self.page(self.world.timeline(account.id), call)

    def usage(self, _call: ApiCall) -> Payload:
        """Return the number of posts in responses, each counted once a day."""
        usage = {"project_id": "1", "project_cap": PROJECT_CAP, "project_usage": len(self._returned)}
        return {"data": {"cap_reset_day": 1, **usage}}

    def page(self, posts: Iterable[Post], call: ApiCall) -> Payload:
        """Return a page of posts within the bounds of a call; they are in order, newest first.

        As at X, posts are left out after the page is cut, so a page can be empty although older ones follow.
        """
        since = int(call.params.get("since_id", 0))
        bounds = [int(call.params[name]) for name in ("until_id", "pagination_token") if name in call.params]
        excluded = {_EXCLUDED[name] for name in call.values("exclude")}
        found = [post for post in posts if post.id > since and all(post.id < bound for bound in bounds)]
        cut = found[: int(call.params.get("max_results", 10))]
        page = [post for post in cut if excluded.isdisjoint(kind for kind, _ in post.references)]
        meta: Payload = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": str(page[0].id), "oldest_id": str(page[-1].id)}
        if len(found) > len(cut):
            meta["next_token"] = str(cut[-1].id)
        return self.payload(page, call) | {"meta": meta}

    def payload(self, found: Iterable[Post | Error], call: ApiCall) -> Payload:
        """Return posts with the objects that they include, and errors."""
        posts, errors = split(found)
        about, lost = split(self.references(posts, call))
        pictured = posts if "attachments.media_keys" in call.values("expansions") else []
        if "referenced_tweets.id.attachments.media_keys" in call.values("expansions"):
            pictured = [*pictured, *about]
        pictures = dict.fromkeys(post.picture for post in pictured if post.picture)
        day, shapes = self.world.clock().toordinal(), self.shapes(call)
        self._returned |= {(day, post.id) for post in (*posts, *about)}
        return nonempty(
            data=[shapes.tweet(post) for post in posts],
            includes=nonempty(tweets=[shapes.tweet(post) for post in about], media=[*map(shapes.media, pictures)]),
            errors=[*errors, *lost],
        )

    def references(self, posts: Iterable[Post], call: ApiCall) -> list[Post | Error]:
        """Return the posts that others refer to, if the call includes them."""
        if "referenced_tweets.id" not in call.values("expansions"):
            return []
        ids = dict.fromkeys(id_ for post in posts for _, id_ in post.references)
        return [self.post("referenced_tweets.id", str(id_)) for id_ in ids]

    def user(self, parameter: str, value: str) -> Account | Error:
        """Return an account by its id or its handle, or the error of a call that names it."""
        is_id, world = parameter in {"id", "ids"}, self.world
        account = world.accounts.get(value) if is_id else world.by_username.get(value.casefold())
        return account or not_found("user", parameter, value)

    def post(self, parameter: str, value: str) -> Post | Error:
        """Return a post by its id, or the error of a call that names it."""
        return self.world.post(int(value)) or not_found("tweet", parameter, value)

    def shapes(self, call: ApiCall) -> Shapes:
        """Return the builder of the objects in a response."""
        return Shapes(self.world, call)


def split(found: Iterable[T | Error]) -> tuple[list[T], list[Error]]:
    """Separate objects from errors."""
    listed = list(found)
    return [item for item in listed if not isinstance(item, dict)], [item for item in listed if isinstance(item, dict)]


def nonempty(**parts: list[Any] | Payload) -> Payload:
    """Return the parts of a response that are not empty."""
    return {name: part for name, part in parts.items() if part}


def not_found(resource: str, parameter: str, value: str) -> Error:
    """Return the error for a missing resource."""
    return {
        "value": value,
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{PROBLEMS}/resource-not-found",
    }


def not_included() -> Response:
    """Return the response to a call that the plan does not include."""
    return problem(403, "Forbidden", detail="Your plan has no access to this endpoint.")


def problem(status: int, title: str, **more: object) -> Response:
    """Return an error response; `more` are members of its body."""
    body = {"title": title, "type": "about:blank", "status": status, "detail": title, **more}
    return JSONResponse(body, status, media_type="application/problem+json")
