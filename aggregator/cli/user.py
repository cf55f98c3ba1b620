"""`user add|list|set|link`: manage accounts of the review desk."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from aggregator.cli.context import ACTOR, opened
from aggregator.cli.output import ago, print_json, print_table
from aggregator.domain.access.accounts import LinkPurpose, Role
from aggregator.domain.access.desk_settings import is_email
from aggregator.domain.access.links import make_link
from aggregator.domain.errors import BadRequestError, NotFoundError

if TYPE_CHECKING:
    from datetime import datetime

    from aggregator.container import Container
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
        emails, passkeys = tx.access.settings.emails(), tx.access.passkeys.counts()
        apps = tx.access.totp.accounts()
    if as_json:
        for account in accounts:
            totp = account.id in apps
            print_json(_facts(account, emails.get(account.id), passkeys.get(account.id, 0), totp=totp))
    elif accounts:
        print_table(
            ("NAME", "ROLE", "SIGNS IN", "E-MAIL", "ADDED", "LAST SIGN-IN", "DISABLED"),
            [
                (
                    account.name,
                    account.role.value,
                    _way(account, passkeys.get(account.id, 0), totp=account.id in apps),
                    _address(emails.get(account.id)),
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
@click.option("--email", help="E-mail address; a link to confirm it is mailed. '' deletes it.")
@click.option("--remove-passkeys", is_flag=True, help="Remove all passkeys, such as those of a lost phone.")
@click.option("--remove-totp", is_flag=True, help="Remove the authenticator app and its recovery codes.")
@click.option("--disable/--enable", default=None, help="Whether the account may sign in.")
def set_(
    name: str,
    role: str | None,
    password: bool,
    generate: bool,
    email: str | None,
    remove_passkeys: bool,
    remove_totp: bool,
    disable: bool | None,
) -> None:
    """Change an account. All its sessions are signed out."""
    removes = remove_passkeys or remove_totp
    if not (password or generate or removes) and role is None and disable is None and email is None:
        raise click.UsageError("Give at least one option; --help lists them.")
    if email and not is_email(email):
        raise BadRequestError(f"{email!r} isn't an e-mail address.")
    with opened() as container:
        with container.store.reading() as tx:
            account = _account(tx, name)
            _check_change(tx, account, role=role, disable=bool(disable), password=password or generate)
        new = _new_password(name, generate=generate) if password or generate else None
        hash_ = _hashed(new, name) if new is not None else None
        with container.store.writing() as tx:
            account = _account(tx, name)
            _check_change(tx, account, role=role, disable=bool(disable), password=password or generate)
            changes = Changes(role, hash_, disable, email, remove_passkeys, remove_totp)
            _change(tx, account, container.clock(), changes)
        if email:
            _confirm(container, account, email)
    if generate:
        click.echo(new)
    click.echo(f"{name}: changed, and signed out everywhere.", err=generate)


@user.command()
@click.argument("name")
@click.option("--mail", is_flag=True, help="Mail the link to the confirmed address, and do not print it.")
def link(name: str, mail: bool) -> None:
    """Make a link with which a user sets a new password.

    It works once, within an hour.
    """
    with opened() as container:
        settings = container.settings
        with container.store.writing() as tx:
            account = _account(tx, name)
            _check_change(tx, account, role=None, disable=False, password=True)
            chosen = tx.access.settings.get(account.id)
            if mail and not (chosen.email_confirmed and container.account_mail.is_configured):
                raise BadRequestError(
                    f"{name} has no confirmed e-mail address, or there is no mail server; omit --mail."
                )
            new = make_link(LinkPurpose.PASSWORD)
            if not mail:
                tx.access.links.add(new.digest, account.id, new.purpose, container.clock() + new.lasts)
            noted = {"with": "e-mail" if mail else "the command line"}
            tx.moderation.audit.note(container.clock(), ACTOR, "made a link", f"account:{name}", noted)
        if mail and chosen.email is not None:
            container.account_mail.send_reset(account, chosen.email)
            click.echo(f"{name}: a link was sent.")
            return
    host, port = settings.listen
    click.echo(new.address(settings.public_url or f"http://{host}:{port}"))


class Changes(NamedTuple):
    """What to change of an account; None: nothing."""

    role: str | None
    hash_: str | None  # of the new password
    disable: bool | None
    email: str | None  # "": delete it
    removes_passkeys: bool
    removes_totp: bool


def _change(tx: Transaction, account: Account, now: datetime, changes: Changes) -> None:
    """Change an account and record that in the audit log."""
    values: dict[str, Any] = {}
    noted: dict[str, Any] = {}
    if changes.role is not None:
        values["role"] = noted["role"] = changes.role
    if changes.hash_ is not None:
        values |= {"password": changes.hash_, "password_set": now}
        noted["password"] = "new"  # noqa: S105  # that there is one, not which
    if changes.disable is not None:
        values["disabled"] = now if changes.disable else None
        noted["disabled"] = changes.disable
    if changes.removes_passkeys:
        values["passkey_required"] = False
        noted["passkeys"] = f"{tx.access.passkeys.remove_all(account.id)} removed"
    if changes.removes_totp:
        noted["totp"] = "removed" if tx.access.totp.remove(account.id) else "none"
    if changes.email is not None:
        tx.access.settings.change(account.id, email=changes.email or None, email_confirmed=None)
        tx.access.links.end(account.id, LinkPurpose.PASSWORD)  # one may wait in the former mailbox
        noted["email"] = "new" if changes.email else "deleted"
    if values:
        tx.access.accounts.change(account.id, **values)
    tx.access.accounts.close_all(account.id)
    tx.moderation.audit.note(now, ACTOR, "changed an account", f"account:{account.name}", noted)


def _confirm(container: Container, account: Account, email: str) -> None:
    """Mail the link that confirms an address; the address is stored in any case."""
    if not container.account_mail.is_configured:
        click.echo("The address can't be confirmed: set AGGREGATOR_MAIL_SERVER and AGGREGATOR_PUBLIC_URL.", err=True)
        return
    try:
        container.account_mail.send_confirmation(account, email)
    except OSError as problem:
        click.echo(f"The link that confirms the address could not be mailed: {problem}.", err=True)


def _is_taken(name: str) -> BadRequestError:
    return BadRequestError(f"There is an account {name!r} already; 'aggregator user set' changes it.")


def _account(tx: Transaction, name: str) -> Account:
    found = tx.access.accounts.get(name)
    if found is None:
        raise NotFoundError(f"There is no account {name!r}; 'aggregator user list' shows them.")
    return found


def _check_change(tx: Transaction, account: Account, *, role: str | None, disable: bool, password: bool) -> None:
    others = tx.access.accounts.admins(besides=account.id)
    if account.is_last_admin(Role(role) if role else None, disable=disable, others=others):
        raise BadRequestError(f"{account.name} is the only admin; make another account an admin first.")
    if not account.is_local and (role is not None or password):
        raise BadRequestError(f"{account.name} signs in at {account.issuer}, which decides on password and role.")


def _way(account: Account, passkeys: int, *, totp: bool) -> str:
    """Return how a user signs in."""
    if not account.is_local:
        return account.issuer or ""
    password = "password and code" if totp else "password"
    return f"{password}, {passkeys} passkey{'' if passkeys == 1 else 's'}" if passkeys else password


def _address(email: tuple[str, bool] | None) -> str:
    if email is None:
        return "-"
    return email[0] if email[1] else f"{email[0]} (not confirmed)"


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


def _facts(account: Account, email: tuple[str, bool] | None, passkeys: int, *, totp: bool) -> dict[str, object]:
    return {
        "name": account.name,
        "role": account.role.value,
        "created": account.created,
        "last_sign_in": account.last_sign_in,
        "disabled": account.disabled,
        "issuer": account.issuer,
        "email": email[0] if email else None,
        "email_confirmed": bool(email and email[1]),
        "passkeys": passkeys,
        "passkey_required": account.passkey_required,
        "totp": totp,
    }
