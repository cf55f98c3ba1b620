"""`token create|list|revoke`: who may read more than everybody."""

from __future__ import annotations

import click

from aggregator.cli.context import opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.access.api_tokens import PortalToken, Scope, is_name, make_token
from aggregator.domain.errors import BadRequestError, NotFoundError


@click.group()
def token() -> None:
    """Give portals tokens with which they read everything, posts on X included."""


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.READ.value,
    show_default=True,
    help="What it allows.",
)
def create(name: str, scope: str) -> None:
    """Make a token for the portal NAME, and show it this once."""
    if not is_name(name):
        raise BadRequestError(
            f"{name!r} can't be a token's name; use 1 to 64 letters, digits, dots, hyphens and underscores, with a "
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(as_json: bool) -> None:
    """List all tokens, and when each was last used; the tokens themselves are not kept."""
    with opened() as container, container.store.reading() as tx:
        now, tokens = container.clock(), tx.access.tokens.all()
    if as_json:
        for one in tokens:
            print_json(_facts(one))
        return
    print_table(
        ("NAME", "ID", "SCOPE", "CREATED", "LAST USED", "REVOKED"),
        [
            (
                one.name,
                one.id,
                one.scope.value,
                ago(one.created, now),
                ago(one.last_used, now),
                ago(one.revoked, now) if one.revoked else "-",
            )
            for one in tokens
        ],
    )


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Refuse the token of the portal NAME from now on."""
    with opened() as container, container.store.writing() as tx:
        if not tx.access.tokens.revoke(name, container.clock()):
            raise NotFoundError(f"There is no token {name!r} to revoke; 'aggregator token list' shows them.")
    click.echo(f"{name}: revoked; readers refuse it within 2 s.")


def _facts(one: PortalToken) -> dict[str, object]:
    """Return what programs are told of a token: not its digest, which is nobody's business."""
    return {
        "name": one.name,
        "id": one.id,
        "scope": one.scope.value,
        "created": one.created,
        "last_used": one.last_used,
        "revoked": one.revoked,
    }
