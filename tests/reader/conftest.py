"""Provide a reader over a store, at a time that tests set."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from jinja2 import BytecodeCache, Environment
from playwright.sync_api import sync_playwright

from aggregator.reader.app import create_app
from aggregator.reader.visibility import EVERYTHING
from aggregator.web import pages
from storage.store import Store
from tests import chromium
from tests.building import NOON
from tests.reader.serving import publishing_pictures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from jinja2.bccache import Bucket
    from playwright.sync_api import Browser

    from tests.reader.serving import Reader


class _CompiledTemplates(BytecodeCache):
    """Compile each template once for all apps of this process."""

    _compiled: ClassVar[dict[str, bytes]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._compiled.get(bucket.key + bucket.checksum):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key + bucket.checksum] = bucket.bytecode_to_string()


@pytest.fixture(autouse=True, scope="session")
def compiled_templates() -> Iterator[None]:
    """Share compiled templates between the apps of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "Environment", partial(Environment, bytecode_cache=_CompiledTemplates()))
        yield


def app_of(store: Store, **options: Any) -> FastAPI:
    """Build the app with default options, except for those given."""
    defaults: dict[str, Any] = {
        "clock": lambda: NOON,
        "public_url": None,
        "timezone": ZoneInfo("America/New_York"),
        "locale": "en",
        "trusted_proxies": (),
        "audience": EVERYTHING,
    }
    return create_app(store, **{**defaults, **options})


@pytest.fixture
def reader(store: Store) -> Iterator[Reader]:
    """Serve the store that the test fills, on each kind of database in turn."""
    with serving(app_of(store)) as reader:
        yield reader


@pytest.fixture
def sqlite_reader(sqlite_store: Store) -> Iterator[Reader]:
    """Serve an SQLite store, for tests that don't depend on the database."""
    with serving(app_of(sqlite_store)) as reader:
        yield reader


@pytest.fixture(scope="session")
def empty_reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Serve an empty store to all tests that need no content."""
    store = Store.open(f"sqlite:///{tmp_path_factory.mktemp('empty') / 'db.sqlite3'}")
    store.migrate(authority="test.invalid", today=NOON.date())
    with serving(app_of(store)) as reader:
        yield reader
    store.close()


@pytest.fixture
def pictures() -> Iterator[str]:
    """Give the address of an image server."""
    with publishing_pictures() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(chromium.HOW)  # an unopened page isn't tested
    args = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=args)
        yield browser
        browser.close()
