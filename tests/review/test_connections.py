"""Test connecting own accounts at the desk: roles, form tokens, the redirect back, and removal."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.demo import SAMPLE_TOKEN
from aggregator.domain.access.accounts import Role
from tests.review.conftest import Stopped, installed
from tests.review.test_routes import audit_lines, refused
from tests.x_api.oauth import CLIENT_ID, CLIENT_SECRET
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from storage.store import Store
    from tests.review.conftest import Answer, Installation, Visitor

FORM = {"service": "x", "owner": "1"}


@pytest.fixture
def clock() -> Stopped:
    return Stopped()


@pytest.fixture
def x(clock: Stopped) -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream(clock, empty=True) as upstream:
        upstream.x.oauth.owner = upstream.world.add_account("desk").id
        yield upstream


@pytest.fixture
def house(
    sqlite_store: Store, sqlite_url: str, clock: Stopped, x: SimulatedUpstream, tmp_path: Path
) -> Iterator[Installation]:
    settings = Settings.from_environment(
        {
            "AGGREGATOR_DATA_DIR": str(tmp_path),
            "AGGREGATOR_DATABASE_URL": sqlite_url,
            "AGGREGATOR_X_BASE_URL": x.url,
            "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
            "AGGREGATOR_X_CLIENT_ID": CLIENT_ID,
            "AGGREGATOR_X_CLIENT_SECRET": CLIENT_SECRET,
        }
    )
    container = Container(settings, clock)
    try:
        with installed(sqlite_store, clock, connection=container.account_connection) as house:
            yield house
    finally:
        container.close()


def granted(x: SimulatedUpstream, begun: Answer) -> str:
    """Grant access at the address of a page; return the path and query to which the browser is redirected."""
    found = re.search(r'href="(https://x\.com/i/oauth2/authorize[^"]+)"', begun.text)
    assert found
    assert x.x.oauth.owner
    back = urlsplit(x.x.oauth.grant(html.unescape(found[1]), x.x.oauth.owner))
    return f"{back.path}?{back.query}"


@pytest.fixture
def ana(house: Installation) -> Visitor:
    return house.visitor("ana", Role.ADMIN)


def test_an_account_is_connected_and_removed(house: Installation, x: SimulatedUpstream, ana: Visitor) -> None:
    assert "For all sources without a token of their own." in ana.get("/review/connections").text
    begun = ana.post("/review/connections", FORM)
    assert f"{house.address}/review/connections/callback" in begun.text
    page = ana.follow(ana.get(granted(x, begun)))
    assert "<bdi>@desk</bdi> is connected." in page.text
    assert "its own posts at the owner&#39;s price" in page.text
    assert not re.search("access-secret|refresh-secret|the-client-secret|code=", page.text)
    removal = re.search(r'action="(/review/connections/[^"]+/remove)"', page.text)
    assert removal
    assert "@desk removed." in ana.follow(ana.post(removal[1])).message
    assert ana.post(removal[1]).status == 404
    lines = " ".join(audit_lines(house.store))
    assert "ana connected an account" in lines
    assert "ana disconnected an account" in lines


def test_only_the_admin_who_began_can_finish(house: Installation, x: SimulatedUpstream, ana: Visitor) -> None:
    back = granted(x, ana.post("/review/connections", FORM))
    ben = house.visitor("ben", Role.ADMIN)
    assert "unknown or has expired" in refused(ben.get(back))
    assert house.somebody().get(back).headers["location"].startswith("/review/sign-in")
    assert ana.get(back).status == 303
    assert "unknown or has expired" in refused(ana.get(back))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.REVIEWER, Role.EDITOR], ids=str)
def test_the_page_is_for_admins(house: Installation, role: Role) -> None:
    ben = house.visitor("ben", role)
    assert ben.get("/review/connections").status == 403
    assert ben.get("/review/connections/callback?code=c&state=s").status == 403
    assert ben.post("/review/connections", FORM).status == 403
    assert "Connections" not in ben.get("/review").text


def test_a_form_of_another_site_begins_nothing(house: Installation, ana: Visitor) -> None:
    assert ana.post("/review/connections", FORM, csrf="0" * 64).status == 403
    with house.store.reading() as tx:
        assert tx.api.credentials.all() == []


@pytest.mark.parametrize(
    ("query", "complaint"),
    [("error=access_denied&state=s", "not granted"), ("", "no code"), ("code=c&state=s", "unknown or has expired")],
    ids=["denied", "empty", "forged"],
)
def test_what_comes_back_without_a_grant(ana: Visitor, query: str, complaint: str) -> None:
    answer = ana.get(f"/review/connections/callback?{query}")
    assert answer.status == 422
    assert complaint in refused(answer)


def test_the_network_may_refuse_the_code(x: SimulatedUpstream, ana: Visitor) -> None:
    back = granted(x, ana.post("/review/connections", FORM))
    x.x.oauth._codes.clear()
    assert "X refused to grant access (invalid_grant)." in refused(ana.get(back))
