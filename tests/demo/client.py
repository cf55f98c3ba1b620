"""Ask the sample upstream over HTTP, as the demonstration does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from jsonschema import Draft202012Validator

from aggregator.demo import SAMPLE_TOKEN
from aggregator.sources.twitter.vocabulary import POSTS, USER_FIELDS

if TYPE_CHECKING:
    from aggregator.demo import Upstream

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
CONTRACT = SHARED / "x-openapi-2.166.json"
PORTAL_ID = "150000001"
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
USERS = {"user.fields": ",".join(USER_FIELDS)}
EVERYTHING = {name.replace("_", "."): ",".join(values) for name, values in POSTS["tweets"].items()}


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def get(url: str, headers: dict[str, str] | None = None, **params: str | int) -> Answer:
    return send(urllib.request.Request(f"{url}?{urlencode(params)}" if params else url, headers=headers or {}))


def send(request: urllib.request.Request) -> Answer:
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, {k.lower(): v for k, v in error.headers.items()}, error.read())


def api(upstream: Upstream, path: str, params: dict[str, Any] | None = None, token: str = SAMPLE_TOKEN) -> Answer:
    return get(f"{upstream.url}/2{path}", {"Authorization": f"Bearer {token}"}, **(params or {}))


def timeline(upstream: Upstream, **params: Any) -> Answer:
    return api(upstream, f"/users/{PORTAL_ID}/tweets", params)


def assert_valid(name: str, body: dict[str, Any]) -> None:
    """Compare a response with a schema of X's API description; skip the test where there is none."""
    if not CONTRACT.is_file():
        # X's terms don't allow a copy in this project; the shapes themselves are tested without it.
        pytest.skip("X's API description is not beside this checkout")
    components = json.loads(CONTRACT.read_text("utf-8"))["components"]
    whole = {"$ref": f"#/components/schemas/{name}", "components": components}
    problems = [f"{error.json_path}: {error.message[:200]}" for error in Draft202012Validator(whole).iter_errors(body)]
    assert problems == []
