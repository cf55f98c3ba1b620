"""Define the settings of sign-in at the review desk: the OpenID Connect provider, and who may use a password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aggregator.domain.access.accounts import Role
from aggregator.domain.settings_schema import Option, secret, secure_address

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+")
_SHORTEST_SECRET = 8  # characters; the provider makes it


def _issuer(text: str) -> str:
    """Parse an issuer, which is compared byte for byte."""
    secure_address(text)
    return text


def _line(text: str) -> str:
    if len(text) > 200 or not text.isprintable():  # noqa: PLR2004
        raise ValueError
    return text


def _scope(text: str) -> str:
    if "openid" not in text.split():
        raise ValueError
    return _line(text)


def _groups(text: str) -> Mapping[str, Role]:
    """Parse "GROUP=ROLE,...": names of groups may contain "=", and commas if semicolons separate the pairs."""
    separator = ";" if ";" in text else ","
    pairs = [part.strip().rpartition("=") for part in text.split(separator) if part.strip()]
    if not all(group.strip() for group, _, _ in pairs):
        raise ValueError
    return {group.strip(): Role(role.strip().lower()) for group, _, role in pairs}


def _domains(text: str) -> tuple[str, ...]:
    domains = tuple(part.strip().lower() for part in text.split(",") if part.strip())
    if not all(_DOMAIN.fullmatch(domain) for domain in domains):
        raise ValueError
    return domains


def _names(text: str) -> frozenset[str] | None:
    """Parse names, "none", or "all", which is None."""
    if text.lower() == "all":
        return None
    names = frozenset() if text.lower() == "none" else frozenset(part.strip() for part in text.split(","))
    if not all(_NAME.fullmatch(name) for name in names):
        raise ValueError
    return names


SIGN_IN_OPTIONS: tuple[Option[Any], ...] = (
    Option(
        "OIDC_ISSUER",
        _issuer,
        "an https address, exactly as the provider publishes it",
        "issuer of the OpenID Connect provider at which the desk's users sign in; it may have a private address",
    ),
    Option("OIDC_CLIENT_ID", _line, "a line of text", "id of the review desk at this provider"),
    Option(
        "OIDC_CLIENT_SECRET",
        secret(_SHORTEST_SECRET),
        f"at least {_SHORTEST_SECRET} characters without spaces",
        "secret of the review desk at this provider; without it, the desk is a public client",
        secret=True,
    ),
    Option(
        "OIDC_GROUPS",
        _groups,
        "GROUP=ROLE, separated by commas or semicolons, with the roles viewer, reviewer, editor and admin",
        "roles of the provider's groups, such as comms=editor,web=admin; users without such a group are refused",
        "",
    ),
    Option("OIDC_GROUPS_CLAIM", _line, "a name", "the provider's claim that lists a user's groups", "groups"),
    Option("OIDC_SCOPE", _scope, "scopes with openid", "the scope that sign-ins request", "openid profile email"),
    Option(
        "OIDC_EMAIL_DOMAINS",
        _domains,
        "comma-separated domains, such as example.org",
        "domains of verified e-mail addresses that may sign in at the provider; default: all",
        "",
    ),
    Option("OIDC_LABEL", _line, "a line of text", "the provider's name on the button; default: its host name"),
    Option(
        "LOCAL_SIGN_IN",
        _names,
        "comma-separated names of accounts, all, or none",
        "accounts that may sign in with a password or passkey",
        "all",
    ),
)
