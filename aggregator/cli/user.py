"""`user add|list|set`: manage accounts of the review desk."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from aggregator.cli.context import ACTOR, opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.access.accounts import Role
from aggregator.domain.errors import BadRequestError, NotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.domain.access.accounts import Account
    from storage.store import Transaction

_ROLES = click.Choice([role.value for role in Role])


@click.group()
def user() -> None:
    """Add and change accounts of the review desk."""


@user.command()
@click.argument("name")
@click.option("--role", type=_ROLES, default=Role.REVIEWER.value, show_default=True, help="Role of the account.")
@click.option("--generate", is_flag=True, help="Generate a password; it is displayed only once.")
def add(name: str, role: str, generate: bool) -> None:
    """Add an account.

    Its password is prompted for, or read from standard input.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BadRequestError(f"Invalid name {name!r}; use 1 to 64 letters, digits, dots, hyphens and underscores.")
    with opened() as container:
        with container.store.reading() as tx:
            if tx.access.accounts.get(name) is not None:
                raise _is_taken(name)
        password = _new_password(name, generate=generate)
        hash_ = _hashed(password, name)  # slow, so not within the transaction
        with container.store.writing() as tx:
            now = container.clock()
            if not tx.access.accounts.add(name, Role(role), hash_, now):
                raise _is_taken(name)
            tx.moderation.audit.note(now, ACTOR, "added an account", f"account:{name}", {"role": role})
    if generate:
        click.echo(password)
    click.echo(f"{name}: added as {role}; signs in at /review.", err=generate)


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(as_json: bool) -> None:
    """List the accounts."""
    with opened() as container, container.store.reading() as tx:
        now, accounts = container.clock(), tx.access.accounts.all()
    if as_json:
        for account in accounts:
            print_json(_facts(account))
    elif accounts:
        print_table(
            ("NAME", "ROLE", "ADDED", "LAST SIGN-IN", "DISABLED"),
            [
                (
                    account.name,
                    account.role.value,
                    ago(account.created, now),
                    ago(account.last_sign_in, now),
                    ago(account.disabled, now) if account.disabled else "-",
                )
                for account in accounts
            ],
        )
    else:
        click.echo("There are no accounts yet; add one with 'aggregator user add NAME --role admin'.")


@user.command("set")
@click.argument("name")
@click.option("--role", type=_ROLES, help="Role of the account.")
@click.option("--password", is_flag=True, help="Set a new password.")
@click.option("--generate", is_flag=True, help="Generate that password; it is displayed only once.")
@click.option("--disable/--enable", default=None, help="Whether the account may sign in.")
def set_(name: str, role: str | None, password: bool, generate: bool, disable: bool | None) -> None:
    """Change an account. All its sessions are signed out."""
    if not (password or generate) and role is None and disable is None:
        raise click.UsageError("Give at least one option; --help lists them.")
    with opened() as container:
        with container.store.reading() as tx:
            _refuse_the_last_admin(tx, _account(tx, name), role=role, disable=bool(disable))
        new = _new_password(name, generate=generate) if password or generate else None
        hash_ = _hashed(new, name) if new is not None else None
        with container.store.writing() as tx:
            account = _account(tx, name)
            _refuse_the_last_admin(tx, account, role=role, disable=bool(disable))
            _change(tx, account, container.clock(), role=role, hash_=hash_, disable=disable)
    if generate:
        click.echo(new)
    click.echo(f"{name}: changed, and signed out everywhere.", err=generate)


def _change(
    tx: Transaction, account: Account, now: datetime, *, role: str | None, hash_: str | None, disable: bool | None
) -> None:
    """Change an account and record that in the audit log."""
    changes: dict[str, Any] = {}
    noted: dict[str, Any] = {}
    if role is not None:
        changes["role"] = noted["role"] = role
    if hash_ is not None:
        changes |= {"password": hash_, "password_set": now}
        noted["password"] = "new"  # noqa: S105  # that there is one, not which
    if disable is not None:
        changes["disabled"] = now if disable else None
        noted["disabled"] = disable
    tx.access.accounts.change(account.id, **changes)
    tx.moderation.audit.note(now, ACTOR, "changed an account", f"account:{account.name}", noted)


def _is_taken(name: str) -> BadRequestError:
    return BadRequestError(f"There is an account {name!r} already; 'aggregator user set' changes it.")


def _account(tx: Transaction, name: str) -> Account:
    found = tx.access.accounts.get(name)
    if found is None:
        raise NotFoundError(f"There is no account {name!r}; 'aggregator user list' shows them.")
    return found


def _refuse_the_last_admin(tx: Transaction, account: Account, *, role: str | None, disable: bool) -> None:
    loses = disable or (role is not None and role != Role.ADMIN.value)
    if account.role is Role.ADMIN and account.disabled is None and loses and tx.access.accounts.admins() == 1:
        raise BadRequestError(f"{account.name} is the only admin; make another account an admin first.")


def _new_password(name: str, *, generate: bool) -> str:
    """Return a password that was entered, read or generated; a generated one is printed only after it is stored."""
    from aggregator.config import passwords

    if generate:
        return passwords.generated()
    if sys.stdin.isatty():
        return str(click.prompt(f"Password of {name}", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


def _hashed(password: str, name: str) -> str:
    from aggregator.config import passwords

    passwords.check(password, name)
    return passwords.hashed(password)


def _facts(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "role": account.role.value,
        "created": account.created,
        "last_sign_in": account.last_sign_in,
        "disabled": account.disabled,
    }
