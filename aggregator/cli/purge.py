"""`purge post|account|network`: delete stored content permanently."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from aggregator.cli.context import opened
from aggregator.domain.errors import BadRequestError
from aggregator.text.plain import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aggregator.container import Container
    from aggregator.domain.compliance.removal import Removal
    from aggregator.services.purge import Purged
    from aggregator.source_api.kind import ProfileSource

_ERASE_WITHIN = 5.0  # seconds to wait for reading processes


class _NetworkChoice(click.ParamType[str]):
    """The name of a network of an installed kind of source; kinds are loaded on use."""

    name = "network"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Validate a name."""
        names = sorted(kind.network for kind in _networks())
        if value not in names:
            self.fail(f"{value!r} is not one of {', '.join(names)}.", param, ctx)
        return value


def _networks() -> list[ProfileSource]:
    from aggregator.source_api.kind import ProfileSource
    from aggregator.sources import kinds

    return [kind for kind in kinds().values() if isinstance(kind, ProfileSource)]


@click.group()
def purge() -> None:
    """Delete posts, accounts or a whole network permanently."""


@purge.command()
@click.argument("posts", nargs=-1, required=True, metavar="ID-OR-URL...")
def post(posts: Sequence[str]) -> None:
    """Delete posts, with reposts of them.

    Quotes and replies keep their own text. No source can import the post again, even if it was never stored.
    """
    found = [_post(text) for text in posts]
    with opened() as container:
        for name, native_id in found:
            purged = container.purge.post(name, native_id)
            click.echo(f"{purged.key}: {_post_sentence(purged.removal)}")
        _erase(container)


@purge.command()
@click.argument("account", metavar="@HANDLE-OR-ID")
def account(account: str) -> None:
    """Delete all posts of an account, and reposts of them.

    It is removed from the sources. Its name and picture are deleted too. Nothing of it is imported again, not even as a
    repost.
    """
    with opened() as container:
        purged = container.purge.account(*_account(account, container))
        _erase(container)
    click.echo(f"{purged.key}: {_account_sentence(purged)}")


@purge.command()
@click.argument("network", type=_NetworkChoice())
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def network(network: str, yes: bool) -> None:
    """Delete everything of a network.

    For example when the contract with it ends. Its sources are stopped. The deleted content is not imported again, even
    if they are resumed.
    """
    with opened() as container:
        if not yes:
            with container.store.reading() as tx:
                stored = len(tx.compliance.keys_held(network))
            click.echo(f"This deletes {counted(stored, 'post')} of {network} permanently; its sources stop.", err=True)
            typed = click.prompt(f"Type {network} to continue", err=True, default="", show_default=False)
            if typed.strip() != network:
                raise BadRequestError("Nothing was removed.")
        purged = container.purge.network(network)
        _erase(container)
    removal = purged.removal
    if not removal.activities and not purged.sources:
        click.echo(f"There is no content of {network} to delete.")
        return
    click.echo(
        f"{counted(removal.activities, 'item')} of {network} deleted, with the profiles of its accounts; "
        f"{counted(len(purged.sources), 'source')} stopped."
    )


def _erase(container: Container) -> None:
    """Erase purged content from SQLite's files; warn if that must wait."""
    if not container.store.erase(_ERASE_WITHIN):
        click.echo(
            "Another process is reading the database, so its files still contain the text; "
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
            parts.append(f"{counted(removal.quotes, 'quote')} of it {keep} own text")
        return f"{'; '.join(parts)}; it will not be imported again."
    if removal.is_new:
        return "not stored; it will never be imported."
    return "already deleted."


def _account_sentence(purged: Purged) -> str:
    removal = purged.removal
    followed = f" {', '.join(purged.sources)} removed from the sources." if purged.sources else ""
    if removal.activities:
        quotes = f"; {counted(removal.quotes, 'quote')} of it kept with their own text" if removal.quotes else ""
        reposts = f" and {counted(removal.reposts, 'repost')} of them" if removal.reposts else ""
        posts = counted(removal.posts, "post")
        return f"{posts}{reposts} removed{quotes}; nothing of it will be imported again.{followed}"
    if removal.is_new:
        return f"nothing of it is stored, and nothing of it will be imported.{followed}"
    return f"already deleted.{followed}"


def _post(text: str) -> tuple[str, str]:
    """Return the network and the id of a post."""
    for kind in _networks():
        if (native_id := kind.post_id(text)) is not None:
            return kind.network, native_id
    raise BadRequestError(f"{text!r} isn't the id, the key or the address of a post.")


def _account(text: str, container: Container) -> tuple[str, str]:
    """Return the network and the id of an account."""
    for kind in _networks():
        if (native_id := kind.account_id(text)) is not None:
            return kind.network, native_id
    handles = {kind.network: handle for kind in _networks() if (handle := kind.handle(text)) is not None}
    if not handles:
        raise BadRequestError(f"{text!r} isn't an account: give @HANDLE, or its numeric id.")
    for name, handle in handles.items():
        if (native_id := container.purge.id_of(name, handle)) is not None:
            return name, native_id
    raise BadRequestError(
        f"There is no stored account @{next(iter(handles.values()))}, so nothing to delete under that name. To block "
        "an account all the same, or if it was renamed, give its numeric id."
    )
