"""Test the output and effects of `token`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.domain.access.api_tokens import digest_of, id_in

if TYPE_CHECKING:
    from storage.store import Store
    from tests.cli.conftest import CommandLine


def test_a_token_is_shown_once_and_alone_on_standard_output(cli: CommandLine, sqlite_store: Store) -> None:
    done = cli("token", "create", "portal", "--scope", "read")
    token = done.stdout.removesuffix("\n")
    assert id_in(token)
    assert "Authorization: Bearer" in done.stderr
    assert "not shown again" in done.stderr
    with sqlite_store.reading() as tx:
        found = tx.access.tokens.by_hash(digest_of(token))
    assert found is not None
    assert found.name == "portal"
    listed = cli("token", "list")
    assert token not in listed.output
    assert found.digest not in listed.output + cli("token", "list", "--json").output


def test_the_list_tells_programs_and_people_what_stands(cli: CommandLine) -> None:
    first = cli("token", "create", "old").stdout
    cli("token", "create", "portal")
    assert cli("token", "revoke", "old").stdout == "old: revoked; readers refuse it within 2 s.\n"
    old, portal = cli.json("token", "list")
    assert set(old) == {"name", "id", "scope", "created", "last_used", "revoked"}
    assert (old["name"], old["id"], old["scope"], old["last_used"]) == ("old", id_in(first.strip()), "read", None)
    assert old["revoked"] >= old["created"]
    assert (portal["name"], portal["revoked"]) == ("portal", None)
    head, *rows = cli("token", "list").stdout.splitlines()
    assert head.split("  ")[0] == "NAME"
    assert [row.split()[0] for row in rows] == ["old", "portal"]
    assert rows[1].endswith("never      -")


def test_a_taken_name_is_refused_until_it_is_revoked(cli: CommandLine) -> None:
    cli("token", "create", "portal")
    assert "aggregator token revoke portal" in cli("token", "create", "portal", code=2).output
    cli("token", "revoke", "portal")
    cli("token", "create", "portal")


def test_wrong_words_are_answered_with_what_to_do(cli: CommandLine) -> None:
    assert "letters, digits" in cli("token", "create", "my portal", code=2).output
    assert "'read'" in cli("token", "create", "portal", "--scope", "write", code=2).output
    assert "aggregator token list" in cli("token", "revoke", "nobody", code=2).output
