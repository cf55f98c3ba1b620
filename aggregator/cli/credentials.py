"""`credentials [remove|reencrypt]`, and `SERVICE connect`: list, connect and remove own accounts of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.context import ACTOR, opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.errors import SetupError
from aggregator.text.plain import counted, one_line

if TYPE_CHECKING:
    from aggregator.domain.access.credentials import TokenFacts

REDIRECT_URL = "http://127.0.0.1:8000/callback"  # nothing needs to listen there


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@click.pass_context
def credentials(context: click.Context, as_json: bool) -> None:
    """List the tokens for networks, with expiry and last use.

    The tokens themselves are never displayed.
    """
    if context.invoked_subcommand is not None:
        return
    with opened() as container:
        now = container.clock()
        rows = container.account_connection.tokens()
    if as_json:
        for row in rows:
            print_json(_json(row))
        return
    if not rows:
        click.echo("There are no tokens for networks.")
        return
    print_table(
        ("NAME", "SERVICE", "ID", "FOR", "EXPIRES", "RENEWED", "LAST USED", "PROBLEM"),
        [
            (
                row.name,
                row.service,
                row.key,
                one_line(row.purpose, 80),
                f"{row.expires:%Y-%m-%d}" if row.expires else "never",
                ago(row.renewed, now) if row.renewed else "-",
                ago(row.last_used, now),
                one_line(row.problem or "-", 100),
            )
            for row in rows
        ],
    )


@credentials.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the tokens of a connected account, by its name or id."""
    with opened() as container:
        removed = container.account_connection.remove(name, ACTOR)
    click.echo(f"{removed.name}: removed. Its sources are read with another token, if there is any.")


@credentials.command()
def reencrypt() -> None:
    """Encrypt all stored credentials under the newest secret key.

    That is the first one in AGGREGATOR_SECRET_KEY. Afterwards, former keys can be removed from the setting. Safe to
    repeat, and to run beside the system.
    """
    from aggregator.services.reencryption import reencrypt as encrypt_again

    with opened() as container:
        done = encrypt_again(container.store, container.seal, container.clock(), ACTOR)
    click.echo(f"Encrypted {counted(done.changed, 'credential')} under the present key.")
    if done.unreadable:
        raise SetupError(
            f"{counted(done.unreadable, 'credential')} can't be decrypted with any listed key; restore the former "
            "AGGREGATOR_SECRET_KEY, or set them again."
        )


def services() -> list[str]:
    """Return the services whose accounts can be connected."""
    from aggregator.services.connect_account import connectors

    return list(connectors())


def commands_of(service: str) -> click.Group:
    """Return the commands of a service: `SERVICE connect`."""

    @click.group(name=service, help="Connect own accounts of this network.")
    def group() -> None:
        pass

    @group.command()
    @click.option("--client-id", help="Client ID of the app; default: that of the settings.")
    @click.option("--redirect-url", default=REDIRECT_URL, show_default=True, help="As registered for the app.")
    @click.option(
        "--owner/--no-owner",
        "is_owner",
        default=True,
        show_default=True,
        help="Whether the account owns the app, so that its own posts have the owner's price.",
    )
    def connect(client_id: str | None, redirect_url: str, is_owner: bool) -> None:
        """Connect an account, to read it with its own token.

        Displays an address at which the account grants access, and asks for the address to which it leads. The client
        secret of another app than that of the settings is asked for; it is empty for a public client.
        """
        _connect(service, client_id, redirect_url, is_owner=is_owner)

    return group


def _connect(service: str, client_id: str | None, redirect_url: str, *, is_owner: bool) -> None:
    from aggregator.source_api.account_connection import App

    with opened() as container:
        connection = container.account_connection
        app = None
        if client_id is not None:
            secret = click.prompt("Client secret", default="", show_default=False, hide_input=True, err=True)
            app = App(client_id, secret)
        address = connection.begin(service, ACTOR, redirect_url, app, is_owner=is_owner)
        click.echo(
            f"Open this address in a browser that is signed in to the account, and grant access:\n\n  {address}\n\n"
            f"It leads to {redirect_url}?..., which need not load. Paste the whole address here within 30 seconds."
        )
        connected = connection.finish(click.prompt("Address", err=True), ACTOR)
    click.echo(f"{connected.name}: connected until {connected.expires:%Y-%m-%d}, renewed by itself while it is used.")


def _json(row: TokenFacts) -> dict[str, Any]:
    return {
        "name": row.name,
        "service": row.service,
        "id": row.key,
        "for": row.purpose,
        "app": row.app,
        "owner": row.is_owner,
        "expires": row.expires,
        "access_expires": row.access_expires,
        "renewed": row.renewed,
        "last_used": row.last_used,
        "problem": row.problem,
    }
