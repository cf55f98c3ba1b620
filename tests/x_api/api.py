"""Simulate X's API v2 for tests: both vocabularies, search, compliance jobs, invalid calls, faults and a bill."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from aggregator.demo.x_api import (
    PROBLEMS,
    RATE_LIMIT,
    WINDOW,
    XApi,
    nonempty,
    not_found,
    not_included,
    problem,
    split,
)
from aggregator.sources.twitter.snowflakes import time_of
from tests.x_api.activity import Activity
from tests.x_api.bill import Bill
from tests.x_api.compliance import TYPES, Compliance
from tests.x_api.faults import Faults
from tests.x_api.oauth import READER, OAuth
from tests.x_api.parameters import check, span
from tests.x_api.problems import HIDDEN, InvalidError, hidden_post, hidden_user, not_authorized, too_old, usage_capped
from tests.x_api.search import SEARCH_REACH, query_of
from tests.x_api.shapes import SimulatedShapes
from tests.x_api.vocabulary import is_newer, newer_answer, older_call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.demo.world import Account, Post
    from aggregator.demo.x_api import Answer, Error, Payload
    from aggregator.demo.x_shapes import ApiCall
    from tests.x_api.world import SimulatedWorld

JOBS = "/2/compliance/jobs"
USAGE = "/2/usage/tweets"
CREDITS = "/2/usage/credits"


class SimulatedX(XApi):
    """The API.

    Args:
        world: the content.
        rate_limit: calls per endpoint in a window of 15 minutes; `limits` has others by endpoint.
        vocabulary: "tweets" or "posts" to support only one, "both" to respond in the vocabulary of the call.
        search: whether the plan includes search.
    """

    world: SimulatedWorld

    def __init__(
        self, world: SimulatedWorld, *, rate_limit: int = RATE_LIMIT, vocabulary: str = "both", search: bool = False
    ) -> None:
        super().__init__(world)
        self.limits = defaultdict(lambda: rate_limit)
        self.delay = 0.0  # seconds before each response
        self.bill = Bill(world.clock)
        self.faults = Faults()
        self.activity = Activity(world)
        self.compliance = Compliance(world)
        self.oauth = OAuth(world.clock)
        self.credits: float | None = 1000.0  # bought, in dollars; None: the plan does not report them
        self._vocabulary = vocabulary
        self._has_search = search

    def routes(self) -> list[Route]:
        """Return the routes; those of the files of jobs need no token, since their URLs are secret."""
        jobs = Route(JOBS, self._create_job, methods=["POST"])
        own = [*self.oauth.routes(), *self.activity.routes()]
        return [jobs, *own, *super().routes(), *self.compliance.routes()]

    def endpoints(self) -> dict[str, Answer]:
        """Return the function of each endpoint."""
        return {
            "/2/users/me": partial(self._me, None),  # `respond` replaces the account
            CREDITS: self._credits,
            **super().endpoints(),
            "/2/users/{id}": partial(self.users, "id"),
            "/2/users/{id}/mentions": self._mentions,
            "/2/lists/{id}": self._list,
            "/2/lists/{id}/tweets": self._list_posts,
            "/2/tweets/search/recent": self._search,
            "/2/tweets/{id}": self._tweet,
            JOBS: self._jobs,
            f"{JOBS}/{{id}}": self._job,
        }

    def respond(self, endpoint: str, answer: Answer, request: Request) -> Response:
        """Answer a call, unless a fault is to happen."""
        time.sleep(self.delay)
        reset = (int(self.world.clock().timestamp()) // WINDOW + 1) * WINDOW
        fault = self.faults.answer(request.url.path, reset)
        user = self.oauth.user_of(request.headers.get("authorization", ""))
        if endpoint == "/2/users/me":
            answer = partial(self._me, user)
        return fault or super().respond(endpoint, partial(self._checked, endpoint, answer, user), request)

    def is_allowed(self, authorization: str) -> bool:
        """Return whether a call has the app's token, or a valid one of an account."""
        return super().is_allowed(authorization) or self.oauth.user_of(authorization) is not None

    def _checked(self, endpoint: str, answer: Answer, user: str | None, call: ApiCall) -> Payload | Response:
        """Answer a call in its vocabulary and charge for the response."""
        if self.bill.is_capped and endpoint not in {USAGE, CREDITS} and not endpoint.startswith(JOBS):
            return usage_capped()
        READER.set(user)
        try:
            newer = is_newer(call, self._vocabulary)
            older = older_call(call) if newer else call
            check(endpoint, older)
            response = answer(older)
        except InvalidError as error:
            return error.response()
        if not isinstance(response, dict):
            return response
        is_owned = user is not None and user == self.oauth.owner == call.path.get("id")
        self.bill.charge(endpoint, response, owned=is_owned)
        answered: Payload = newer_answer(response) if newer else response
        return answered

    # Accounts and posts

    def timeline(self, call: ApiCall) -> Payload:
        """Return a page of an account's posts."""
        user_id = call.path["id"]
        if self.world.restricted.get(user_id) == "protected" and READER.get() != user_id:
            return {"errors": [not_authorized("user", "id", user_id)]}
        return super().timeline(call)

    def page(self, posts: Iterable[Post], call: ApiCall) -> Payload:
        """Return a page of posts within the bounds of a call; they are in order, newest first."""
        start, end = span(call)
        return super().page([post for post in posts if start <= post.created < end], call)

    def payload(self, found: Iterable[Post | Error], call: ApiCall) -> Payload:
        """Return posts with the objects that they include, and errors."""
        found = list(found)
        payload, (posts, _) = super().payload(found, call), split(found)
        about, _ = split(self.references(posts, call))
        shapes, expansions = self.shapes(call), call.values("expansions")
        users: list[Account] = []
        if "author_id" in expansions:
            users += [self.world.accounts[post.author] for post in posts]
        if "referenced_tweets.id.author_id" in expansions:
            users += [self.world.accounts[post.author] for post in about]
        if "in_reply_to_user_id" in expansions:
            users += [account for post in posts if (account := shapes.answered(post))]
        included = [shapes.user(account) for account in dict.fromkeys(users)]
        includes = payload.get("includes", {}) | nonempty(users=included)
        return payload | nonempty(includes=includes)

    def usage(self, call: ApiCall) -> Payload:
        """Return the number of posts in responses; in the newer vocabulary, numbers are text."""
        del call
        return self.bill.usage(as_text=self._vocabulary == "posts")

    def _credits(self, call: ApiCall) -> Payload | Response:
        del call
        if self.credits is None:
            return not_included()
        left = self.credits - self.bill.dollars
        return {"data": {"total_balance": max(left, 0), "prepaid_balance": left, "free_balance": 0}}

    def _me(self, user: str | None, call: ApiCall) -> Payload | Response:
        if user is None:
            return problem(403, "Unsupported Authentication", type=f"{PROBLEMS}/unsupported-authentication")
        return {"data": self.shapes(call).user(self.world.accounts[user])}

    def user(self, parameter: str, value: str) -> Account | Error:
        """Return an account by its id or its handle, or the error of a call that names it."""
        account = super().user(parameter, value)
        how = "" if isinstance(account, dict) else self.world.restricted.get(account.id, "")
        return hidden_user(parameter, value, how) if how in HIDDEN else account

    def post(self, parameter: str, value: str) -> Post | Error:
        """Return a post by its id, or the error of a call that names it."""
        fate = self.world.fate(int(value))
        return hidden_post(parameter, value, fate) if fate else super().post(parameter, value)

    def shapes(self, call: ApiCall) -> SimulatedShapes:
        """Return the builder of the objects in a response."""
        return SimulatedShapes(self.world, call)

    def _tweet(self, call: ApiCall) -> Payload:
        payload = self.payload([self.post("id", call.path["id"])], call)
        return payload | ({"data": payload["data"][0]} if "data" in payload else {})

    def _mentions(self, call: ApiCall) -> Payload:
        account = self.user("id", call.path["id"])
        if isinstance(account, dict):
            return {"errors": [account]}
        mention = re.compile(rf"@{account.username}\b", re.IGNORECASE)
        return self.page(self._visible(lambda post: mention.search(post.text) is not None), call)

    def _list(self, call: ApiCall) -> Payload:
        id_, fields = call.path["id"], {"id", "name", *call.values("list.fields")}
        known = self.world.lists.get(id_)
        if known is None:
            return {"errors": [not_found("list", "id", id_)]}
        whole = {"id": id_, "name": known.name, "member_count": len(known.members), "private": False}
        return {"data": {name: value for name, value in whole.items() if name in fields}}

    def _list_posts(self, call: ApiCall) -> Payload:
        known = self.world.lists.get(call.path["id"])
        if known is None:
            return {"errors": [not_found("list", "id", call.path["id"])]}
        return self.page(self._visible(lambda post: post.author in known.members), call)

    def _visible(self, which: Callable[[Post], bool]) -> list[Post]:
        """Return matching posts that are visible to everyone, newest first."""
        return [post for post in reversed(self.world.posts) if self.world.fate(post.id) is None and which(post)]

    def _search(self, call: ApiCall) -> Payload | Response:
        if not self._has_search:
            return not_included()
        matches = query_of(call.params.get("query", ""), self.world)
        since = self.world.clock() - SEARCH_REACH
        found = self._visible(lambda post: post.created > since and matches(post))
        for name in ("since_id", "until_id"):
            if name in call.params and time_of(int(call.params[name])) < since:
                raise too_old(name, call.params[name], since)
        names = {"next_token": "pagination_token"}
        return self.page(
            found, replace(call, params={names.get(name, name): value for name, value in call.params.items()})
        )

    # Compliance jobs

    def _jobs(self, call: ApiCall) -> Payload:
        type_, status = call.params.get("type", ""), call.params.get("status")
        if type_ not in TYPES:
            raise InvalidError("type", type_, f"The `type` query parameter value [{type_}] is not one of {_LISTED}")
        jobs = [job for job in self.compliance.jobs.values() if job.type == type_]
        shown = [self.compliance.shape(job, call.base) for job in jobs if status in {None, self.compliance.status(job)}]
        return nonempty(data=shown) | {"meta": {"result_count": len(shown)}}

    def _job(self, call: ApiCall) -> Payload:
        job = self.compliance.jobs.get(call.path["id"])
        if job is None:
            return {"errors": [not_found("compliance_job", "id", call.path["id"])]}
        return {"data": self.compliance.shape(job, call.base)}

    async def _create_job(self, request: Request) -> Response:
        body = await request.body()
        return await run_in_threadpool(self.respond, JOBS, lambda call: self._created(body, call), request)

    def _created(self, body: bytes, call: ApiCall) -> Payload:
        try:
            job: Any = json.loads(body)
        except ValueError:
            job = None
        type_ = str(job.get("type")) if isinstance(job, dict) else ""
        if type_ not in TYPES:
            raise InvalidError("type", type_, f"$.type: the value [{type_}] is not one of {_LISTED}")
        return {"data": self.compliance.shape(self.compliance.create(type_, job.get("name")), call.base)}


_LISTED = f"[{','.join(TYPES)}]"
