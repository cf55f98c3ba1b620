"""Test `aggregator credentials` and `aggregator SERVICE connect`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from aggregator.__main__ import aggregator
from aggregator.demo import SAMPLE_TOKEN
from tests.x_api.oauth import CLIENT_ID, CLIENT_SECRET
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import CommandLine


@pytest.fixture
def x() -> Iterator[SimulatedUpstream]:
    with SimulatedUpstream(empty=True) as upstream:
        upstream.x.oauth.owner = upstream.world.add_account("desk").id
        yield upstream


@pytest.fixture
def ready(cli: CommandLine, x: SimulatedUpstream) -> CommandLine:
    cli.environ |= {
        "AGGREGATOR_X_BASE_URL": x.url,
        "AGGREGATOR_X_BEARER_TOKEN": SAMPLE_TOKEN,
        "AGGREGATOR_X_CLIENT_ID": CLIENT_ID,
        "AGGREGATOR_X_CLIENT_SECRET": CLIENT_SECRET,
    }
    return cli


@pytest.fixture
def browser(x: SimulatedUpstream, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grant access at the displayed address, and paste the address to which that leads."""
    shown: list[str] = []
    monkeypatch.setattr(click, "echo", lambda text="", **_: shown.append(str(text)))

    def prompt(label: str, **_: object) -> str:
        if label == "Client secret":
            return CLIENT_SECRET
        found = re.search(r"https://x\.com/\S+", "\n".join(shown))
        assert found
        assert x.x.oauth.owner
        return x.x.oauth.grant(found[0], x.x.oauth.owner)

    monkeypatch.setattr(click, "prompt", prompt)


def test_the_token_of_the_settings_is_listed(ready: CommandLine) -> None:
    [row] = ready.json("credentials")
    assert (row["name"], row["service"], row["for"], row["expires"]) == (
        "token in the settings",
        "x",
        "all sources without a token of their own",
        None,
    )
    assert SAMPLE_TOKEN not in ready("credentials").stdout


def test_without_any_token(cli: CommandLine) -> None:
    assert cli("credentials").stdout == "There are no tokens for networks.\n"


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("words", [(), ("--client-id", CLIENT_ID)], ids=["configured", "another-app"])
def test_an_account_is_connected_listed_and_removed(
    ready: CommandLine, x: SimulatedUpstream, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready("x", "connect", *words)
    monkeypatch.undo()
    ready("source", "add", "@desk")
    ready("pull", "desk")
    settings, desk = ready.json("credentials")
    assert settings["last_used"]
    assert (desk["name"], desk["owner"], desk["app"]) == ("@desk", True, CLIENT_ID)
    assert desk["for"] == "its own posts at the owner's price (desk)"
    assert desk["last_used"]
    assert "Own posts" not in ready("budget").stdout
    x.world.write(x.world.accounts[str(x.x.oauth.owner)], "Hello")
    ready("pull", "desk")
    assert "Own posts of connected accounts: 1, at $0.0010 instead of $0.0050." in ready("budget").stdout
    assert sum(purpose["owned"] for purpose in ready.json("budget")[0]["purposes"]) == 1
    assert desk["expires"] > desk["access_expires"]
    printed = ready("credentials").stdout
    assert "@desk" in printed
    assert not re.search("access-secret|refresh-secret|the-client-secret", printed)
    assert "@desk: removed" in ready("credentials", "remove", "@desk").stdout
    assert "no connected account" in ready("credentials", "remove", "@desk", code=2).stderr
    assert len(ready.json("credentials")) == 1


def test_without_an_app_the_setting_is_named(ready: CommandLine) -> None:
    del ready.environ["AGGREGATOR_X_CLIENT_ID"]
    assert "AGGREGATOR_X_CLIENT_ID" in ready("x", "connect", code=2).stderr


def test_access_that_is_not_granted(ready: CommandLine) -> None:
    denied = "http://127.0.0.1:8000/callback?error=access_denied&state=s"
    result = ready("x", "connect", code=2, typed=f"{denied}\n")
    assert 'Access was not granted: "access_denied"' in result.stderr


def test_the_help_lists_the_networks() -> None:
    printed = CliRunner().invoke(aggregator, ["--help"]).stdout
    assert re.search(r"^  x +Connect own accounts", printed, re.MULTILINE)
    assert CliRunner().invoke(aggregator, ["fax"]).exit_code == 2
