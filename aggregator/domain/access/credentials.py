"""Choose the credential that reads an account at the lowest price, and notice credentials that expire. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from aggregator.domain.monitoring.alerts import Condition
from aggregator.domain.polling.api_refusals import STORED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EXPIRING = "credential-expiring"
NOTICES = (30, 7, 1)  # days before the end
RENEW_BEFORE = timedelta(minutes=5)  # the end of an access token, which lasts for hours


@dataclass(frozen=True, slots=True)
class Credential:
    """An account that was connected; its tokens are encrypted and not part of this."""

    id: int
    service: str
    subject: str  # the account's native id
    name: str  # for people: "@desk"
    app: str  # the id of the app that it was connected with
    is_owner: bool  # the account owns the app, so that reading its own posts has the owner's price
    access_expires: datetime  # then it must be renewed
    expires: datetime  # then it can't be renewed
    created: datetime
    renewed: datetime
    problem: str | None = None  # why it can't be used any more

    @property
    def key(self) -> str:
        """Its id in refusals, rate limits and the record of uses."""
        return f"{STORED}{self.id}"

    def is_usable(self, now: datetime) -> bool:
        """Return whether it can be used or renewed."""
        return self.problem is None and now < self.expires


class TokenFacts(NamedTuple):
    """The facts about a token that people see; never the token."""

    name: str
    service: str
    label: str  # the network, for people
    key: str  # its id in refusals, rate limits and the record of uses
    purpose: str
    number: int | None = None  # of a connected account
    app: str | None = None
    is_owner: bool | None = None
    expires: datetime | None = None  # None: never
    access_expires: datetime | None = None
    renewed: datetime | None = None
    last_used: datetime | None = None
    problem: str | None = None


class ConnectableService(NamedTuple):
    """A service whose accounts can be connected."""

    service: str
    label: str
    has_app: bool  # there is an app in the settings


class Choice(NamedTuple):
    """A credential for reading an account; None is that of the settings."""

    credential: Credential | None
    owned: bool = False  # the owner's price applies to the account's own posts


def choices(credentials: Iterable[Credential], account: str, now: datetime, *, has_app_token: bool) -> list[Choice]:
    """Return the credentials that may read an account's posts, the cheapest first.

    Its own credential comes before that of the settings even at the same price, since it can read a protected account,
    too. Those of other accounts come last: their rate limits are lower.
    """
    usable = [credential for credential in credentials if credential.is_usable(now)]
    own = [credential for credential in usable if credential.subject == account]
    others = [credential for credential in usable if credential.subject != account]
    return [
        *(Choice(credential, owned=True) for credential in own if credential.is_owner),
        *(Choice(credential) for credential in own if not credential.is_owner),
        *([Choice(None)] if has_app_token else ()),
        *(Choice(credential) for credential in others),
    ]


def expiry_conditions(credentials: Iterable[Credential], label: str, now: datetime) -> Iterator[Condition]:
    """Yield a condition for each notice that is due: 30, 7 and 1 days before the end, and when it can't be used."""
    for credential in credentials:
        subject = f"credential:{credential.service}:{credential.key}"
        again = f"Connect it again: aggregator {credential.service} connect"
        if not credential.is_usable(now):
            why = credential.problem or "It has expired."
            yield Condition(EXPIRING, subject, f"The access to {credential.name} on {label} has ended: {why} {again}")
            continue
        for days in NOTICES:
            if credential.expires - now <= timedelta(days=days):
                on = f"{credential.expires:%Y-%m-%d}"
                sentence = f"The access to {credential.name} on {label} expires within {days} days, on {on}. {again}"
                yield Condition(EXPIRING, f"{subject}:{days}", sentence.replace("1 days", "1 day"))
