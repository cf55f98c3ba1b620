"""Test `user`, `audit`, `freeze`, `source apply` and the review options of `source set`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from aggregator.container import utc_now
from aggregator.domain.access.accounts import Passkey, Role
from aggregator.domain.source import OnEdit, Policy
from tests.building import add_source, an_activity, ingest_now

if TYPE_CHECKING:
    from pathlib import Path

    from storage.store import Store
    from tests.cli.conftest import CommandLine
    from tests.upstream import Publisher


def test_accounts_are_added_listed_and_changed(cli: CommandLine) -> None:
    assert cli("user", "list").stdout.startswith("There are no accounts yet")
    made = cli("user", "add", "ana", "--role", "admin", "--generate")
    assert len(made.stdout.strip()) == 34
    assert made.stderr == "ana: added as admin; signs in at /review.\n"
    cli("user", "add", "ben", typed="quite a good one\n")
    assert "already" in cli("user", "add", "ben", "--generate", code=2).stderr
    cli("user", "set", "ben", "--role", "editor", "--disable")

    listed = cli.json("user", "list")

    assert [(account["name"], account["role"], account["disabled"] is None) for account in listed] == [
        ("ana", "admin", True),
        ("ben", "editor", False),
    ]
    assert "password" not in str(listed)
    assert "only admin" in cli("user", "set", "ana", "--disable", code=2).stderr
    assert "only admin" in cli("user", "set", "ana", "--role", "editor", code=2).stderr


def test_links_addresses_and_passkeys_of_accounts(cli: CommandLine, sqlite_store: Store) -> None:
    cli("user", "add", "ana", "--role", "admin", "--generate")
    with sqlite_store.writing() as tx:
        ana = tx.access.accounts.get("ana")
        assert ana is not None
        tx.access.passkeys.add(Passkey(0, ana.id, "AAAA", "Phone", b"key", 0, utc_now()))
        tx.access.accounts.require_passkey(ana.id, required=True)
        tx.access.totp.add(ana.id, "encrypted", 1, utc_now())
        tx.access.accounts.add("mira", Role.EDITOR, "", utc_now(), issuer="https://id.example", subject="7")

    link = cli("user", "link", "ana").stdout.strip()
    warned = cli("user", "set", "ana", "--email", "ana@portal.example")
    before = cli.json("user", "list")
    shown = cli("user", "list").stdout
    cli("user", "set", "ana", "--remove-passkeys", "--remove-totp", "--email", "")
    after = cli.json("user", "list")

    assert re.fullmatch(r"http://127\.0\.0\.1:8080/review/new-password\?token=[A-Za-z0-9_-]{43}", link)
    assert "can't be confirmed" in warned.stderr
    keys = ("email", "email_confirmed", "passkeys", "passkey_required", "totp", "issuer")
    assert [before[0][key] for key in keys] == ["ana@portal.example", False, 1, True, True, None]
    assert [after[0][key] for key in keys] == [None, False, 0, False, False, None]
    assert "ana@portal.example (not confirmed)" in shown
    assert "password and code, 1 passkey" in shown
    assert "https://id.example" in shown
    assert "no confirmed e-mail address" in cli("user", "link", "ana", "--mail", code=2).stderr
    for words in (("set", "mira", "--role", "admin"), ("set", "mira", "--generate"), ("link", "mira")):
        assert "signs in at https://id.example" in cli("user", *words, code=2).stderr
    assert "isn't an e-mail address" in cli("user", "set", "ana", "--email", "a@b, c@d", code=2).stderr


@pytest.mark.parametrize(
    "words",
    [
        ("add", "ana", "--generate"),
        ("set", "nobody", "--generate"),
        ("set", "ana", "--generate", "--disable"),
        ("set", "ana", "--generate", "--role", "editor"),
    ],
    ids=["taken", "unknown", "last-admin-disabled", "last-admin-demoted"],
)
def test_no_password_is_shown_that_was_not_stored(cli: CommandLine, words: tuple[str, ...]) -> None:
    cli("user", "add", "ana", "--role", "admin", "--generate")
    failed = cli("user", *words, code=2)
    assert failed.stdout == ""
    assert len(cli("user", "set", "ana", "--generate").stdout.strip()) == 34


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("a b", "quite a good one\n", "Invalid name"),
        ("ana", "short\n", "12 to 256 characters"),
        ("ana", "", "12 to 256 characters"),
        ("anastasia", "anastasia12345\n", "too easy to guess"),
    ],
)
def test_names_and_passwords_are_checked(cli: CommandLine, name: str, typed: str, message: str) -> None:
    assert message in cli("user", "add", name, typed=typed, code=2).stderr


def test_the_history_is_listed_and_verified(cli: CommandLine, sqlite_store: Store) -> None:
    assert cli("audit", "verify").stdout == "Verified 0 entries. Last hash: none.\n"
    cli("user", "add", "ana", "--generate")
    cli("user", "add", "ben", "--generate")
    first, second = (entry["hash"] for entry in reversed(cli.json("audit", "list")))

    assert cli("audit", "verify", "--expect", first).stdout == (f"Verified 2 entries. Last hash: {second}.\n")
    assert "was rewritten" in cli("audit", "verify", "--expect", "0" * 64, code=1).stderr
    assert "command line  added an account  account:ben" in cli("audit", "list").stdout
    assert cli("audit", "list", "--who", "ana").stdout == "The audit log has no such entry.\n"

    with sqlite_store.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_stands_update"))
        connection.execute(text("UPDATE audit SET who = 'nobody' WHERE id = 2"))
    broken = cli("audit", "verify", code=1).stderr
    assert broken.startswith("Entry 2 (")
    assert "nobody added an account account:ben) is inconsistent" in broken
    assert "The entries before it are intact (1)" in broken


def test_a_freeze_begins_and_ends(cli: CommandLine, sqlite_store: Store) -> None:
    source = add_source(sqlite_store, now=utc_now())
    until = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")

    began = cli("freeze", "begin", "--until", until, "--reason", "Election", "--source", source.slug).stdout
    listed = cli("freeze", "list").stdout
    cli("freeze", "end")

    assert began.startswith("Nothing new of news is shown until ")
    assert "news" in listed
    assert "Election" in listed
    assert cli("freeze", "list").stdout == "Nothing is frozen.\n"
    assert "Nothing is frozen" in cli("freeze", "end", code=2).stderr
    assert "has passed" in cli("freeze", "begin", "--until", "2020-01-01T00:00", "--reason", "x", code=2).stderr
    assert "90 days" in cli("freeze", "begin", "--until", "2999-01-01T00:00", "--reason", "x", code=2).stderr


def test_what_the_command_line_does_to_sources_is_in_the_history(cli: CommandLine, sqlite_store: Store) -> None:
    add_source(sqlite_store)
    cli("source", "pause", "news")
    cli("source", "resume", "news")
    cli("source", "remove", "news", "--items", "hide")

    with sqlite_store.reading() as tx:
        actions = [note["what"] for note in tx.moderation.audit.of("source:news")]
    assert actions == ["removed a source", "resumed a source", "paused a source"]


def test_the_terms_of_review_of_a_source_are_set(cli: CommandLine, sqlite_store: Store) -> None:
    add_source(sqlite_store)
    terms = ("--policy", "delay", "--delay", "600", "--on-edit", "return", "--trust", "@ana", "--trust", "Ben")
    cli("source", "set", "news", *terms)
    cli("source", "set", "news", "--no-trust", "ANA")

    with sqlite_store.reading() as tx:
        source = tx.polling.sources.get("news")
    assert source is not None
    assert (source.policy, source.delay, source.on_edit) == (Policy.DELAY, timedelta(minutes=10), OnEdit.RETURN)
    assert source.trusted == ("Ben",)
    wrong = ("--policy", "hold", "--delay", "60")
    assert "goes with --policy delay" in cli("source", "set", "news", *wrong, code=2).stderr


def test_decisions_of_the_command_line_are_in_the_history(cli: CommandLine, sqlite_store: Store) -> None:
    ingest_now(sqlite_store, add_source(sqlite_store, policy=Policy.HOLD), [an_activity("1")])
    cli("review", "approve", "1")
    cli("review", "hide", "1", "--reason", "a mistake")

    entries = [(entry["who"], entry["what"], entry["detail"]["reason"]) for entry in cli.json("audit", "list")]

    assert entries == [("command line", "hid", "a mistake"), ("command line", "approved", "approved by hand")]


def test_a_file_sets_sources_and_says_what_it_did(cli: CommandLine, publisher: Publisher, tmp_path: Path) -> None:
    file = tmp_path / "sources.toml"
    first, second = publisher.url("/good/1.xml"), publisher.url("/good/2.xml")
    file.write_text(
        f'[[source]]\naddress = "{first}"\nslug = "one"\nname = "The one"\npolicy = "delay"\ndelay = "10m"\n'
        f'trusted = ["@ana"]\n[[source]]\naddress = "{second}"\nslug = "two"\npolicy = "hold"\non_edit = "return"\n'
    )
    planned = cli("source", "apply", "--dry-run", str(file)).stdout
    assert planned == f"one: would be added from {first}.\ntwo: would be added from {second}.\n"
    assert cli("source", "apply", str(file)).stdout == "one: added.\ntwo: added.\n"
    assert cli("source", "apply", str(file)).stdout == "one: up to date.\ntwo: up to date.\n"
    assert "is managed by sources.toml" in cli("source", "set", "one", "--policy", "auto", code=2).stderr

    file.write_text(f'[[source]]\naddress = "{first}"\nslug = "one"\nevery = "2h"\n')
    assert cli("source", "apply", str(file)).stdout == (
        "one: changed (delay, every, policy, trusted).\n"
        "two: no longer in sources.toml; it can be changed by hand again.\n"
    )
    cli("source", "set", "two", "--policy", "auto")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("[[source]", "can't be read"),
        ("[other]", "may contain [[source]] tables only"),
        ('[[source]]\nslug = "x"', "source 1: address is missing"),
        ('[[source]]\naddress = "x"\nslug = "No Slug"', "expected 1 to 40 characters of a-z"),
        ('[[source]]\naddress = "x"\nslug = "x"\npolicy = "maybe"', "'maybe' is not a valid Policy"),
        ('[[source]]\naddress = "x"\nslug = "x"\npolicy = "delay"', "set together"),
        ('[[source]]\naddress = "x"\nslug = "x"\nevery = "often"', "expected a duration"),
        ('[[source]]\naddress = "x"\nslug = "x"\ncolour = 1', "colour is unknown"),
        ('[[source]]\naddress = "x"\nslug = "x"\n' * 2, "says x more than once"),
        ('[[source]]\naddress = "x"\nslug = "x"\ntrusted = [1]', "a list of names"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    cli: CommandLine, tmp_path: Path, written: str, message: str
) -> None:
    file = tmp_path / "sources.toml"
    file.write_text(written)
    assert message in cli("source", "apply", str(file), code=2).stderr
    assert cli.json("source", "list") == []
