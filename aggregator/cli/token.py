"""`token create|list|revoke`: manage tokens with access to restricted content."""

from __future__ import annotations

import click

from aggregator.cli.context import opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.access.api_tokens import PortalToken, Scope, is_name, make_token
from aggregator.domain.errors import BadRequestError, NotFoundError


@click.group()
def token() -> None:
    """Manage the access tokens of portals.

    With one, a portal reads everything, restricted content included.
    """


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="Scope of the token.",
)
def create(name: str, scope: str) -> None:
    """Create a token for the portal NAME; it is displayed only once."""
    if not is_name(name):
        raise BadRequestError(
            f"Invalid token name {name!r}; use 1 to 64 letters, digits, dots, hyphens and underscores, with a "
            "letter or digit at both ends."
        )
    made = make_token()
    with opened() as container, container.store.writing() as tx:
        if not tx.access.tokens.create(PortalToken(made.id, name, Scope(scope), made.digest, container.clock())):
            raise BadRequestError(
                f"There is a token {name!r} already. Revoke it first ('aggregator token revoke {name}'), or give the "
                "new one another name, so that a portal can change from one to the other."
            )
    click.echo(made.text)
    click.echo(
        "This token is not shown again. Keep it on the portal's server, and send it with each request:\n"
        "  Authorization: Bearer TOKEN",
        err=True,
    )


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(as_json: bool) -> None:
    """List all tokens, and when each was last used.

    The tokens themselves are not stored.
    """
    with opened() as container, container.store.reading() as tx:
        now, tokens = container.clock(), tx.access.tokens.all()
    if as_json:
        for row in tokens:
            print_json(_facts(row))
        return
    print_table(
        ("NAME", "ID", "SCOPE", "CREATED", "LAST USED", "REVOKED"),
        [
            (
                row.name,
                row.id,
                row.scope.value,
                ago(row.created, now),
                ago(row.last_used, now),
                ago(row.revoked, now) if row.revoked else "-",
            )
            for row in tokens
        ],
    )


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the token of the portal NAME."""
    with opened() as container, container.store.writing() as tx:
        if not tx.access.tokens.revoke(name, container.clock()):
            raise NotFoundError(f"There is no token {name!r} to revoke; 'aggregator token list' shows them.")
    click.echo(f"{name}: revoked; readers refuse it within 2 s.")


def _facts(row: PortalToken) -> dict[str, object]:
    """Return the JSON fields of a token, without its digest."""
    return {
        "name": row.name,
        "id": row.id,
        "scope": row.scope.value,
        "created": row.created,
        "last_used": row.last_used,
        "revoked": row.revoked,
    }
