"""Decide who a user of a sign-on provider (OpenID Connect) is here, and in which role. Pure."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.access.accounts import Role
from aggregator.domain.access.desk_settings import is_email
from aggregator.domain.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

CALLBACK = "/review/sign-in/callback"  # below the public address; registered with the provider
CLOCK_SKEW = timedelta(seconds=60)  # between the provider's clock and ours
OLDEST_TOKEN = timedelta(minutes=10)  # from the time at which it was issued
_LONGEST_SUBJECT = 255  # characters, by the standard
_LONGEST_NAME = 64
_LAST_SECOND = 1e11  # later times are no times
_MOST_GROUPS = 2000
_UNUSABLE = re.compile(r"[^A-Za-z0-9._-]+")

Claims = dict[str, object]


class SignOnError(BadRequestError):
    """A sign-in at the provider is refused; the message contains the reason, without secrets."""

    code = "sign-on"


class ProviderAwayError(SignOnError):
    """The provider is not responding, or its response is unusable."""

    def __init__(self) -> None:
        super().__init__("The sign-in service is not responding. Try again later.")


@dataclass(frozen=True, slots=True)
class SignOnRules:
    """Who may sign in, and in which role."""

    groups: Mapping[str, Role]  # roles of groups
    groups_claim: str
    email_domains: Sequence[str] = ()  # in lower case; none: all


class SignOnRequest(NamedTuple):
    """A sign-in that was begun: what the provider's answer must match."""

    state: str
    nonce: str
    verifier: str  # of PKCE
    redirect_url: str
    since: datetime | None = None  # the user must prove who they are after this time


@dataclass(frozen=True, slots=True)
class SignOnUser:
    """A user whom the provider vouches for."""

    issuer: str
    subject: str
    role: Role
    name: str  # proposed; it may be taken
    email: str | None  # one that the provider has verified
    provider_session: str | None
    id_token: str


class EndedSession(NamedTuple):
    """What the provider announced to have ended: all sessions of a user, or one of its sessions."""

    issuer: str
    subject: str | None
    provider_session: str | None
    token_id: str
    expires: datetime


def role_of(groups: object, rules: SignOnRules) -> Role:
    """Return the highest role of a user's groups.

    Raises:
        SignOnError: no group has a role.
    """
    named = [groups] if isinstance(groups, str) else groups
    listed = [group for group in named if isinstance(group, str)][:_MOST_GROUPS] if isinstance(named, list) else []
    roles = [rules.groups[group] for group in listed if group in rules.groups]
    if not roles:
        raise SignOnError("Your account is in no group that may use the review desk. Ask an admin.")
    return max(roles, key=list(Role).index)


def user_of(claims: Mapping[str, object], issuer: str, rules: SignOnRules, id_token: str) -> SignOnUser:
    """Return the user of verified claims.

    Raises:
        SignOnError: the user may not sign in here.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise SignOnError("The sign-in service named no user.")
    email = _verified_email(claims)
    if rules.email_domains and (email is None or email.rpartition("@")[2].lower() not in rules.email_domains):
        raise SignOnError("Your e-mail address is not of a domain that may use the review desk. Ask an admin.")
    role = role_of(claims.get(rules.groups_claim), rules)
    session = claims.get("sid")
    session = session if isinstance(session, str) and 0 < len(session) <= _LONGEST_SUBJECT else None
    return SignOnUser(issuer, subject, role, _name_of(claims), email, session, id_token)


def check_claims(claims: Mapping[str, object], client_id: str, since: datetime | None, now: datetime) -> None:
    """Check the claims of an ID token that are special to OpenID Connect.

    Raises:
        SignOnError: the token is for another client or too old, or the user did not prove again who they are.
    """
    audience, party = claims.get("aud"), claims.get("azp")
    if isinstance(audience, list) and len(audience) > 1 and party is None:
        raise SignOnError("The sign-in service's token is for several clients.")
    if party is not None and party != client_id:
        raise SignOnError("The sign-in service's token is for another client.")
    if _seconds(claims, "iat") < (now - OLDEST_TOKEN).timestamp():
        raise SignOnError("The sign-in service's token is too old. Try again.")
    if since is not None and _seconds(claims, "auth_time") < (since - CLOCK_SKEW).timestamp():
        raise SignOnError("The sign-in service did not ask you to sign in again.")


def names_from(name: str) -> Iterator[str]:
    """Yield a proposed name, then others for the case that it is taken."""
    yield name
    for number in range(2, 1000):
        end = f"-{number}"
        yield name[: _LONGEST_NAME - len(end)] + end


def _seconds(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return -math.inf
    return float(value) if abs(value) < _LAST_SECOND else -math.inf  # NaN is no number, too


def _verified_email(claims: Mapping[str, object]) -> str | None:
    email, verified = claims.get("email"), claims.get("email_verified")
    return email if isinstance(email, str) and is_email(email) and (verified is True or verified == "true") else None


def _name_of(claims: Mapping[str, object]) -> str:
    """Return a name as the desk allows, from what the provider calls the user; names are not unique there."""
    for claim in ("preferred_username", "email", "name"):
        value = claims.get(claim)
        if isinstance(value, str):
            plain = unicodedata.normalize("NFKD", value.partition("@")[0][:200]).encode("ascii", "ignore").decode()
            name = _UNUSABLE.sub("-", plain).strip("-._")[:_LONGEST_NAME]
            if name:
                return name
    return "user"
