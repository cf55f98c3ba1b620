"""`purge post|account|network`: take content out of everything that we hold and show, at once and for good."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from aggregator.cli.context import opened
from aggregator.cli.output import counted
from aggregator.domain.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.container import Container
    from aggregator.domain.compliance.removal import Removal
    from aggregator.services.purge import Purged

NETWORK = "x"
_ERASE_WITHIN = 5.0  # seconds to wait for processes that read
_ID = re.compile(r"(?:x:)?([0-9]{1,19})")
_STATUS = re.compile(
    r"https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/\w+/status(?:es)?/([0-9]{1,19})\b.*", re.IGNORECASE
)
_ACCOUNT_ID = re.compile(r"(?:x:@)?([0-9]{1,19})")
_HANDLE = re.compile(r"(?:@|https?://(?:www\.|mobile\.)?(?:x|twitter)\.com/)([A-Za-z0-9_]{1,15})/?", re.IGNORECASE)


@click.group()
def purge() -> None:
    """Take posts, accounts or a whole network out, at once and for good."""


@purge.command()
@click.argument("posts", nargs=-1, required=True, metavar="ID-OR-URL...")
def post(posts: Sequence[str]) -> None:
    """Take posts of X out, with reposts of them.

    Quotes and replies keep their own words. No source brings such a post again, also one that nobody has brought yet.
    """
    ids = [_post_id(one) for one in posts]
    with opened() as container:
        for native_id in ids:
            purged = container.purge.post(NETWORK, native_id)
            click.echo(f"{purged.key}: {_post_sentence(purged.removal)}")
        _erase(container)


@purge.command()
@click.argument("account", metavar="@HANDLE-OR-ID")
def account(account: str) -> None:
    """Take everything of an account on X out, with reposts of it, and follow it no more.

    Its name and picture go as well. Nothing of it comes back, whoever passes it on.
    """
    with opened() as container:
        purged = container.purge.account(NETWORK, _account_id(account, container))
        _erase(container)
    click.echo(f"{purged.key}: {_account_sentence(purged)}")


@purge.command()
@click.argument("network", type=click.Choice([NETWORK]))
@click.option("--yes", is_flag=True, help="Do not ask.")
def network(network: str, yes: bool) -> None:
    """Take everything of a network out: when the contract with it ends.

    Its sources are stopped. What was once there does not come back, even when they are resumed.
    """
    with opened() as container:
        if not yes:
            with container.store.reading() as tx:
                held = len(tx.compliance.keys_held(network))
            click.echo(f"This empties {counted(held, 'post')} of {network} for good and stops its sources.", err=True)
            typed = click.prompt(f"Type {network} to go on", err=True, default="", show_default=False)
            if typed.strip() != network:
                raise BadRequestError("Nothing was removed.")
        purged = container.purge.network(network)
        _erase(container)
    removal = purged.removal
    if not removal.activities and not purged.sources:
        click.echo(f"Nothing of {network} was left to remove.")
        return
    click.echo(
        f"{counted(removal.activities, 'item')} of {network} removed, with the names and pictures of its people; "
        f"{counted(len(purged.sources), 'source')} stopped."
    )


def _erase(container: Container) -> None:
    """Erase purged content from SQLite's files, and warn if that has to wait."""
    if not container.store.erase(_ERASE_WITHIN):
        click.echo(
            "Another process is reading the database, so its files still hold the words; "
            "the next process that writes to it erases them.",
            err=True,
        )


def _post_sentence(removal: Removal) -> str:
    if removal.activities:
        parts = []
        if removal.posts or removal.reposts:
            reposts = f"{counted(removal.reposts, 'repost')} of it" if removal.reposts else ""
            posts = counted(removal.posts, "post") if removal.posts else ""
            parts.append(f"{' and '.join(filter(None, (posts, reposts)))} removed")
        if removal.quotes:
            keep = "keeps its" if removal.quotes == 1 else "keep their"
            parts.append(f"{counted(removal.quotes, 'quote')} of it {keep} own words")
        return f"{'; '.join(parts)}; it will not come back."
    if removal.is_new:
        return "not held; it will never be taken in."
    return "was gone already."


def _account_sentence(purged: Purged) -> str:
    removal = purged.removal
    followed = f" {', '.join(purged.sources)} removed from the sources." if purged.sources else ""
    if removal.activities:
        quotes = f"; {counted(removal.quotes, 'quote')} of it left with own words" if removal.quotes else ""
        reposts = f" and {counted(removal.reposts, 'repost')} of them" if removal.reposts else ""
        posts = counted(removal.posts, "post")
        return f"{posts}{reposts} removed{quotes}; nothing of it will come back.{followed}"
    if removal.is_new:
        return f"nothing of it is held; nothing of it will ever be taken in.{followed}"
    return f"was gone already.{followed}"


def _post_id(given: str) -> str:
    found = _ID.fullmatch(given) or _STATUS.fullmatch(given)
    if found is None:
        raise BadRequestError(f"{given!r} is no post of X: give its id, or its address (https://x.com/NAME/status/ID).")
    return found[1]


def _account_id(given: str, container: Container) -> str:
    if found := _ACCOUNT_ID.fullmatch(given):
        return found[1]
    named = _HANDLE.fullmatch(given)
    if named is None:
        raise BadRequestError(f"{given!r} is no account of X: give @HANDLE, or its numeric id.")
    native_id = container.purge.id_of(NETWORK, named[1])
    if native_id is None:
        raise BadRequestError(
            f"We know nobody called @{named[1]}, so there is nothing of them here under that name. To keep them out all"
            " the same, or if they were renamed, give the numeric id of the account."
        )
    return native_id
