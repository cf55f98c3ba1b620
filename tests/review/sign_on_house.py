"""Serve a desk whose users sign in at a provider of OpenID Connect."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.review.entrance import SignInOptions
from tests.openid_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    OpenIdProvider,
    running_provider,
)
from tests.review.conftest import Visitor, installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store
    from tests.review.conftest import Answer, Installation, Stopped


MIRA: dict[str, Any] = {
    "sub": "248289761001",
    "preferred_username": "mira.s",
    "email": "mira@example.org",
    "email_verified": True,
    "groups": ["staff", "comms"],
}


ROOT: dict[str, Any] = {"sub": "root-1", "preferred_username": "adam", "groups": "web"}


@pytest.fixture
def provider(clock: Stopped) -> Iterator[OpenIdProvider]:
    with running_provider(clock) as running:
        running.users = {"mira": dict(MIRA), "root": dict(ROOT)}
        yield running


Desk = tuple["Installation", Container]


@contextmanager
def desk_at(store: Store, clock: Stopped, provider: OpenIdProvider, folder: Path, **settings: str) -> Iterator[Desk]:
    """Serve a desk whose users sign in at a provider."""
    containers: list[Container] = []

    def sign_in(address: str) -> SignInOptions:
        provider.redirect_urls.add(f"{address}/review/sign-in/callback")
        environment = {
            "AGGREGATOR_DATA_DIR": str(folder),
            "AGGREGATOR_PUBLIC_URL": address,
            "AGGREGATOR_OIDC_ISSUER": provider.issuer,
            "AGGREGATOR_OIDC_CLIENT_ID": CLIENT_ID,
            "AGGREGATOR_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "AGGREGATOR_OIDC_GROUPS": "comms=editor; web=admin; cn=guests,ou=x=viewer",
            "AGGREGATOR_OIDC_LABEL": "Harbor ID",
            **settings,
        }
        containers.append(Container(Settings.from_environment(environment), clock))
        return SignInOptions(containers[0].settings.local_sign_in, containers[0].sign_on)

    with installed(store, clock, host="localhost", sign_in=sign_in) as house:
        try:
            yield house, containers[0]
        finally:
            containers[0].close()


@pytest.fixture
def house(sqlite_store: Store, clock: Stopped, provider: OpenIdProvider, tmp_path: Path) -> Iterator[Installation]:
    with desk_at(sqlite_store, clock, provider, tmp_path) as (installation, _):
        yield installation


class ProviderVisitor(Visitor):
    """A visitor who signs in at the provider."""

    def begin(self, path: str = "/review/sign-in/provider") -> str:
        """Return the address at the provider."""
        answer = self.get(path)
        assert answer.status == 303, answer.text
        return answer.headers["location"]

    def callback(self, address: str, user: str) -> str:
        """Sign in at the provider; return the path to which it returns the browser."""
        parts = urlsplit(address)
        elsewhere = Visitor(f"{parts.scheme}://{parts.netloc}", self.jar)
        done = elsewhere.post(f"{parts.path}?{parts.query}", {"user": user}, csrf="")
        assert done.status == 303, done.text
        returned = urlsplit(done.headers["location"])
        return f"{returned.path}?{returned.query}"

    def sign_in_there(self, user: str = "mira") -> Answer:
        return self.get(self.callback(self.begin(), user))


def who_is(answer: Answer) -> str:
    found = re.search(r'account"><bdi>([^<]*)</bdi>', answer.text)
    return found[1] if found else ""


def complaint(answer: Answer) -> str:
    found = re.search(r'<p class="complaint" role="alert">([^<]+)<', answer.text)
    return found[1].replace("&#39;", "'").replace("&#34;", '"') if found else ""
