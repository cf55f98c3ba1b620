"""Simulate X's API v2 on the sample world, following X's published contract in both vocabularies."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse
from starlette.routing import Route

from aggregator.demo.x_bill import Bill
from aggregator.demo.x_compliance import Compliance
from aggregator.demo.x_faults import Faults
from aggregator.demo.x_parameters import (
    ApiRequest,
    InvalidError,
    NotAllowedError,
    RequestedFields,
    id_of,
    is_old,
    is_username,
    listed,
    names_references,
    page_size,
    page_token,
    requested_fields,
    within,
)
from aggregator.demo.x_problems import (
    HIDDEN,
    invalid,
    missing,
    missing_user,
    not_authorized,
    problem,
    unseen,
    usage_capped,
)
from aggregator.demo.x_search import SEARCH_REACH, query_of
from aggregator.demo.x_shapes import Shapes
from aggregator.demo.x_vocabulary import NEWER_PARAMETER, OLDER_PARAMETER, newer_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from starlette.requests import Request
    from starlette.responses import Response

    from aggregator.demo.world import Account, Post, World

SAMPLE_TOKEN = "sample-bearer-token"  # noqa: S105  # it opens nothing but this sample
WINDOW = 15 * 60  # seconds

_JOB_TYPES = ("tweets", "users")


class XApi:
    """The routes of the API.

    Args:
        world: the content.
        clock: returns the time.
        limit: calls per endpoint and token in a window of 15 minutes; `limits` has others by endpoint.
        vocabulary: "tweets" or "posts" to support only one, "both" to respond in the vocabulary of the request.
        search: whether the plan includes search.
    """

    def __init__(
        self, world: World, clock: Callable[[], datetime], limit: int, *, vocabulary: str = "both", search: bool = False
    ) -> None:
        self.limit = limit
        self.limits: dict[str, int] = {}
        self.delay = 0.0  # seconds before each response
        self.bill = Bill(clock)
        self.faults = Faults()
        self.compliance = Compliance(world, clock)
        self._world = world
        self._clock = clock
        self._vocabulary = vocabulary
        self._search_allowed = search
        self._used: dict[tuple[str, int], int] = {}

    def routes(self) -> list[Route]:
        """Return the routes, each behind the token and the rate limit."""
        return [
            Route("/2/users/by/username/{username}", self._guarded("username", self._by_username)),
            Route("/2/users/by", self._guarded("by", self._by)),
            Route("/2/users/{id}/tweets", self._guarded("tweets", self._timeline)),
            Route("/2/users/{id}", self._guarded("user", self._user)),
            Route("/2/users", self._guarded("users", self._users)),
            Route("/2/tweets/search/recent", self._guarded("search", self._search)),
            Route("/2/tweets/{id}", self._guarded("tweet", self._tweet)),
            Route("/2/tweets", self._guarded("lookup", self._tweets)),
            Route(
                "/2/usage/tweets",
                self._guarded("usage", lambda call: self.bill.usage(as_text=call.newer), billed=False),
            ),
            Route("/2/compliance/jobs/{id}", self._guarded("job", self._job, billed=False)),
            Route("/2/compliance/jobs", self._guarded("jobs", self._jobs, billed=False)),
            Route("/2/compliance/jobs", self._create_job, methods=["POST"]),
            *self.compliance.routes(),
        ]

    def _guarded(
        self, endpoint: str, answer: Callable[[ApiRequest], dict[str, Any]], *, billed: bool = True
    ) -> Callable[[Request], Response]:
        def guarded(request: Request) -> Response:
            rejection, headers = self._check_access(request, endpoint)
            if rejection is not None:
                return rejection
            if billed and self.bill.is_capped:
                return usage_capped()
            try:
                call = ApiRequest(request, self._vocabulary_of(request))
                response = answer(call)
            except NotAllowedError as error:
                return problem(403, "Forbidden", headers=headers, more={"detail": str(error)})
            except InvalidError as error:
                return invalid(error, headers)
            self.bill.charge(endpoint, response if billed else {})
            return JSONResponse(newer_answer(response) if call.newer else response, headers=headers)

        return guarded

    def _check_access(self, request: Request, endpoint: str) -> tuple[Response | None, dict[str, str]]:
        """Return an error response if a request is rejected, and the headers of a response."""
        if request.headers.get("authorization") != f"Bearer {SAMPLE_TOKEN}":
            return problem(401, "Unauthorized"), {}
        time.sleep(self.delay)
        window = math.floor(self._clock().timestamp() / WINDOW)
        fault_response = self.faults.answer(request.url.path, (window + 1) * WINDOW)
        if fault_response is not None:
            return fault_response, {}
        headers, is_over = self._counted(endpoint)
        return (problem(429, "Too Many Requests", headers=headers) if is_over else None), headers

    def _vocabulary_of(self, request: Request) -> str:
        """Return the vocabulary of a request.

        Raises:
            InvalidError: this X does not support it.
        """
        params = request.query_params
        known = {"tweets": [OLDER_PARAMETER], "posts": [NEWER_PARAMETER]}.get(
            self._vocabulary, [OLDER_PARAMETER, NEWER_PARAMETER]
        )
        for name in (OLDER_PARAMETER, NEWER_PARAMETER):
            if name in params and name not in known:
                message = f"The query parameter [{name}] is not one of [id,{','.join(known)},expansions,media.fields]"
                raise InvalidError(name, params[name], message)
        if self._vocabulary != "both":
            return self._vocabulary
        return "posts" if NEWER_PARAMETER in params else "tweets"

    def _counted(self, endpoint: str) -> tuple[dict[str, str], bool]:
        now = self._clock().timestamp()
        window = math.floor(now / WINDOW)
        used = self._used.get((endpoint, window), 0) + 1
        self._used = {key: count for key, count in self._used.items() if key[1] == window}
        self._used[endpoint, window] = used
        limit = self.limits.get(endpoint, self.limit)
        headers = {
            "x-rate-limit-limit": str(limit),
            "x-rate-limit-remaining": str(max(limit - used, 0)),
            "x-rate-limit-reset": str((window + 1) * WINDOW),
        }
        return headers, used > limit

    def _by_username(self, call: ApiRequest) -> dict[str, Any]:
        return self._one_user(call, self._named(call.path["username"], "username"), "username", call.path["username"])

    def _user(self, call: ApiRequest) -> dict[str, Any]:
        user_id = id_of(call.path["id"], "id")
        return self._one_user(call, self._world.accounts.get(user_id), "id", user_id)

    def _one_user(self, call: ApiRequest, account: Account | None, parameter: str, value: str) -> dict[str, Any]:
        if account is None or self._world.restricted.get(account.id) in HIDDEN:
            return {"errors": [self._no_user(parameter, value, account)]}
        return {"data": self._shapes(call).user(account, requested_fields(call).user)}

    def _users(self, call: ApiRequest) -> dict[str, Any]:
        ids = [id_of(text, "ids") for text in listed(call, "ids")]
        return self._many_users(call, "ids", [(id_, self._world.accounts.get(id_)) for id_ in ids])

    def _by(self, call: ApiRequest) -> dict[str, Any]:
        names = listed(call, "usernames")
        return self._many_users(call, "usernames", [(name, self._named(name, "usernames")) for name in names])

    def _many_users(
        self, call: ApiRequest, parameter: str, pairs: Iterable[tuple[str, Account | None]]
    ) -> dict[str, Any]:
        shapes, fields = self._shapes(call), requested_fields(call).user
        found, errors = [], []
        for value, account in pairs:
            if account is None or self._world.restricted.get(account.id) in HIDDEN:
                errors.append(self._no_user(parameter, value, account))
            else:
                found.append(shapes.user(account, fields))
        return ({"data": found} if found else {}) | ({"errors": errors} if errors else {})

    def _named(self, username: str, parameter: str) -> Account | None:
        if not is_username(username):
            message = f"The `{parameter}` query parameter value [{username}] does not match ^[A-Za-z0-9_]{{1,15}}$"
            raise InvalidError(parameter, username, message)
        return self._world.by_username.get(username.casefold())

    def _no_user(self, parameter: str, value: str, account: Account | None) -> dict[str, str]:
        missing = missing_user(parameter, value)
        if account is not None and self._world.restricted.get(account.id) == "suspended":
            return {**missing, "title": "Forbidden", "detail": f"User has been suspended: [{value}]."}
        return missing

    def _timeline(self, call: ApiRequest) -> dict[str, Any]:
        user_id = id_of(call.path["id"], "id")
        size = page_size(call.params, 5)
        account = self._world.accounts.get(user_id)
        restricted = self._world.restricted.get(user_id)
        if account is None or restricted in HIDDEN:
            return {"errors": [self._no_user("id", user_id, account)]}
        if restricted is not None:
            return {"errors": [not_authorized("user", "id", user_id)]}
        return self._page(within(self._world.timeline(user_id), call.params), size, call, "pagination_token")

    def _search(self, call: ApiRequest) -> dict[str, Any]:
        if not self._search_allowed:
            raise NotAllowedError("Your plan has no access to this endpoint.")
        size = page_size(call.params, 10)
        matches = query_of(call.params.get("query", ""), self._world)
        since = self._clock() - SEARCH_REACH
        found = [
            post
            for post in reversed(self._world.posts)
            if post.created > since and self._world.fate(post.id) is None and not is_old(post) and matches(post)
        ]
        params = {**call.params, "pagination_token": call.params.get("next_token", "")}
        return self._page(within(found, params), size, call, "next_token")

    def _page(self, posts: list[Post], size: int, call: ApiRequest, token: str) -> dict[str, Any]:
        fields = requested_fields(call)
        page = posts[:size]
        if not page:
            return {"meta": {"result_count": 0}}
        meta: dict[str, Any] = {"result_count": len(page), "newest_id": str(page[0].id), "oldest_id": str(page[-1].id)}
        if len(posts) > size:
            meta["next_token"] = page_token(page[-1].id)
        del token
        return self._posts_payload(page, fields, call) | {"meta": meta}

    def _tweet(self, call: ApiRequest) -> dict[str, Any]:
        payload = self._looked_up([id_of(call.path["id"], "id")], call, "id")
        return payload | ({"data": payload["data"][0]} if "data" in payload else {})

    def _tweets(self, call: ApiRequest) -> dict[str, Any]:
        return self._looked_up([id_of(text, "ids") for text in listed(call, "ids")], call, "ids")

    def _looked_up(self, ids: list[str], call: ApiRequest, parameter: str) -> dict[str, Any]:
        fates = {id_: self._world.fate(int(id_)) for id_ in ids}
        found = [post for id_ in ids if fates[id_] is None and (post := self._world.post(int(id_)))]
        errors = [unseen(parameter, id_, fate) for id_, fate in fates.items() if fate is not None]
        fields = requested_fields(call)
        payload = self._posts_payload(found, fields, call) if found else {}
        errors += payload.pop("errors", [])
        return payload | ({"errors": errors} if errors else {})

    def _posts_payload(self, posts: list[Post], fields: RequestedFields, call: ApiRequest) -> dict[str, Any]:
        """Return posts with their included objects, and errors for objects that are not visible."""
        shapes = self._shapes(call)
        payload: dict[str, Any] = {"data": [shapes.tweet(post, fields.tweet) for post in posts]}
        if includes := self._includes(posts, fields, shapes):
            payload["includes"] = includes
        if names_references(fields.expansions):
            references = dict.fromkeys(id_ for post in posts for _, id_ in post.references)
            lost = [
                unseen("referenced_tweets.id", str(id_), fate) for id_ in references if (fate := self._world.fate(id_))
            ]
            payload |= {"errors": lost} if lost else {}
        return payload

    def _jobs(self, call: ApiRequest) -> dict[str, Any]:
        type_ = call.params.get("type", "")
        if type_ not in _JOB_TYPES:
            raise InvalidError(
                "type", type_, f"The `type` query parameter value [{type_}] is not one of [tweets,users]"
            )
        status = call.params.get("status")
        jobs = [job for job in self.compliance.jobs.values() if job.type == type_]
        shown = [self.compliance.shape(job, call.base) for job in jobs if status in {None, self.compliance.status(job)}]
        return {"data": shown, "meta": {"result_count": len(shown)}} if shown else {"meta": {"result_count": 0}}

    def _job(self, call: ApiRequest) -> dict[str, Any]:
        job = self.compliance.jobs.get(call.path["id"])
        if job is None:
            return {"errors": [missing("compliance_job", "id", call.path["id"])]}
        return {"data": self.compliance.shape(job, call.base)}

    async def _create_job(self, request: Request) -> Response:
        rejection, headers = await run_in_threadpool(self._check_access, request, "jobs")
        if rejection is not None:
            return rejection
        try:
            body = json.loads(await request.body())
        except ValueError:
            body = None
        type_ = str(body.get("type")) if isinstance(body, dict) else ""
        if type_ not in _JOB_TYPES:
            message = f"$.type: the value [{type_}] is not one of [tweets,users]"
            return invalid(InvalidError("type", type_, message), headers)
        self.bill.charge("jobs", {})
        job = self.compliance.create(type_, body.get("name") if isinstance(body, dict) else None)
        base = str(request.base_url).rstrip("/")
        return JSONResponse({"data": self.compliance.shape(job, base)}, headers=headers)

    def _includes(self, page: list[Post], fields: RequestedFields, shapes: Shapes) -> dict[str, Any]:
        about = [
            found
            for post in page
            for _, id_ in post.references
            if self._world.fate(id_) is None and (found := self._world.post(id_))
        ]
        about = list({post.id: post for post in about}.values()) if names_references(fields.expansions) else []
        users: list[Account] = []
        if "author_id" in fields.expansions:
            users += [self._world.accounts[post.author] for post in page]
        if "referenced_tweets.id.author_id" in fields.expansions:
            users += [self._world.accounts[post.author] for post in about]
        if "in_reply_to_user_id" in fields.expansions:
            users += [account for post in page if (account := shapes.answered(post))]
        pictures = [p.picture for p in page if "attachments.media_keys" in fields.expansions and p.picture]
        if "referenced_tweets.id.attachments.media_keys" in fields.expansions:
            pictures += [post.picture for post in about if post.picture]
        includes = {
            "users": [shapes.user(account, fields.user) for account in dict.fromkeys(users)],
            "tweets": [shapes.tweet(post, fields.tweet) for post in about],
            "media": [shapes.media(picture, fields.media) for picture in dict.fromkeys(pictures)],
        }
        return {name: found for name, found in includes.items() if found}

    def _shapes(self, call: ApiRequest) -> Shapes:
        return Shapes(self._world, call.base)
