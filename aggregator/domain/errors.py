"""Everything that can go wrong on purpose, as one tree.

AggregatorError
 ├─ SettingsError               an AGGREGATOR_* variable has a value we can't use
 │   └─ ConfigurationError      a file of the configuration folder can't be used
 ├─ SetupError                  the installation is not in a state to do this (schema, lock, missing token)
 │   ├─ SchemaError             the database's schema is older or newer than the code
 │   ├─ StoreUnavailableError   the database does not answer
 │   └─ WriterRunningError      another process is the one writer of this SQLite database
 ├─ BadRequestError             a reader or operator asked for something that can't be
 │   ├─ BadCursorError
 │   ├─ BadSearchError       nothing to look for
 │   └─ NotFoundError           no such source or activity
 └─ SourceError                 polling one source failed; never the batch's fault
     ├─ FetchError              no usable answer came over HTTP
     │   ├─ UnreachableError    refused, name not found, TLS, no proper HTTP
     │   │   └─ BrokenOffError       reset, or the connection closed before the answer was whole
     │   ├─ ForbiddenAddressError  the address is private and not allowed
     │   ├─ SlowError           time ran out
     │   │   ├─ SlowConnectError      for the connection
     │   │   ├─ SlowFirstByteError    until the headers were complete
     │   │   └─ SlowTotalError        for the whole answer
     │   ├─ TooLargeError       more than we take
     │   │   ├─ WireTooLargeError     bytes as they are sent
     │   │   ├─ UnpackedTooLargeError bytes after unpacking
     │   │   └─ HeadersTooLargeError  a header line, or all of them
     │   ├─ RedirectError       too many, a loop, or to a place we refuse to go
     │   ├─ StatusError         an HTTP status that is no success
     │   │   ├─ GoneError             410: gone for good
     │   │   ├─ ApiChangedError       an API does not know what we ask it for
     │   │   └─ RobotCheckError       a page that wants a person instead of a feed reader
     │   ├─ SignInError         it wants a sign-in that we have not, or refuses the one we have
     │   └─ PausedError         the host asked us to wait; nothing was sent
     ├─ UnreadableError         an answer came, but it is not what the source should give
     │   ├─ TooComplexError     deeper, wider or longer than any feed needs
     │   ├─ ParserCrashError    the process that reads documents died of it
     │   ├─ WorkerLostError     the process that polls died of it, several times in a row
     │   └─ NoFeedError         a page for browsers or something else where the feed should be
     ├─ AccountError            an account that can't be read
     │   ├─ MissingAccountError   there is none
     │   ├─ SuspendedAccountError the network took it away
     │   ├─ ProtectedAccountError only followers whom it accepted may read it
     │   ├─ CredentialsError      our credentials are missing or refused
     │   └─ NotAllowedError       our credentials don't allow this call
     └─ BudgetError             our own budget leaves nothing for this
         └─ CapReachedError       the service says that its usage cap or spending limit is reached

Each carries a stable `code` for programs and a sentence for people that says what, where, why and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime


_PASSING = frozenset({408, 425, 429, *range(500, 600)})  # statuses that say "later", not "never"


class AggregatorError(Exception):
    """Something that we foresaw; its text is fit to be shown."""

    code: ClassVar[str] = "error"


class SettingsError(AggregatorError):
    """An AGGREGATOR_* variable can't be used."""

    code = "bad-setting"


class ConfigurationError(SettingsError):
    """A file of the configuration folder can't be used."""

    code = "bad-configuration"


class SetupError(AggregatorError):
    """The installation is not in a state to do this."""

    code = "setup"


class SchemaError(SetupError):
    """The database's schema does not fit the code."""

    code = "schema"


class StoreUnavailableError(SetupError):
    """The database does not answer."""

    code = "store-unavailable"


class WriterRunningError(SetupError):
    """Another process is the one writer of this SQLite database."""

    code = "writer-running"


class BadRequestError(AggregatorError):
    """Somebody asked for something that can't be."""

    code = "bad-request"


class BadCursorError(BadRequestError):
    """A cursor that no page of ours gave."""

    code = "bad-cursor"

    def __init__(self, cursor: str) -> None:
        super().__init__(f"The cursor {cursor[:80]!r} is not one that this API gave; start again without a cursor.")


class BadSearchError(BadRequestError):
    """A search for nothing, or for too much."""

    code = "bad-search"


class NotFoundError(BadRequestError):
    """There is no such thing."""

    code = "not-found"


class SourceError(AggregatorError):
    """Polling one source failed.

    Attributes:
        permanent: trying again without somebody's change is pointless.
        failure_weight: the weight of this failure: 1 is hard, 0.5 soft, 0.25 will pass by itself.
        until: do not try before this moment (aware UTC), where the other side said so.
        status: the HTTP status, where there was an answer.
    """

    code = "source-failed"
    permanent: ClassVar[bool] = False
    failure_weight: float = 1.0

    def __init__(self, message: str, *, until: datetime | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.until = until
        self.status = status


class FetchError(SourceError):
    """No usable answer came over HTTP."""

    code = "fetch-failed"


class UnreachableError(FetchError):
    """Refused, name not found, TLS failed, or what answered does not speak HTTP."""

    code = "unreachable"


class BrokenOffError(UnreachableError):
    """Reset, or the connection was closed before the answer was whole."""

    code = "broken-off"
    failure_weight = 0.25


class ForbiddenAddressError(FetchError):
    """The address is private and not in AGGREGATOR_PRIVATE_NETWORKS, or of a scheme we never use."""

    code = "forbidden-address"


class SlowError(FetchError):
    """Time ran out."""

    code = "too-slow"
    failure_weight = 0.25


class SlowConnectError(SlowError):
    """No connection within its time."""

    code = "slow-connect"


class SlowFirstByteError(SlowError):
    """No complete headers within their time."""

    code = "slow-first-byte"


class SlowTotalError(SlowError):
    """No whole answer within its time."""

    code = "slow-total"


class TooLargeError(FetchError):
    """More than we take."""

    code = "too-large"


class WireTooLargeError(TooLargeError):
    """More bytes on the wire than we take."""

    code = "too-large-wire"


class UnpackedTooLargeError(TooLargeError):
    """More bytes after unpacking than we take."""

    code = "too-large-unpacked"


class HeadersTooLargeError(TooLargeError):
    """A longer header line, or more of them, than we take."""

    code = "too-large-headers"


class RedirectError(FetchError):
    """Too many redirects, a loop, or one that we refuse to follow."""

    code = "bad-redirect"


class StatusError(FetchError):
    """An HTTP status that is no success."""

    code = "http-status"

    def __init__(self, message: str, *, until: datetime | None = None, status: int | None = None) -> None:
        super().__init__(message, until=until, status=status)
        self.failure_weight = 0.25 if status in _PASSING else 1.0


class GoneError(StatusError):
    """410: gone for good, says the publisher."""

    code = "gone"
    permanent = True


class ApiChangedError(StatusError):
    """An API does not know what we ask it for: it changed, or is another version than we think."""

    code = "api-changed"


class RobotCheckError(StatusError):
    """A page that wants a person to prove to be one, instead of a feed."""

    code = "robot-check"


class SignInError(FetchError):
    """A sign-in is wanted that we have not, or the one that we have is refused."""

    code = "sign-in"
    permanent = True


class PausedError(FetchError):
    """The host asked us to wait, so nothing was sent."""

    code = "host-paused"


class UnreadableError(SourceError):
    """An answer came, but it is not what this kind of source gives."""

    code = "unreadable"
    failure_weight = 0.5


class TooComplexError(UnreadableError):
    """A document deeper, wider or longer than any feed needs."""

    code = "too-complex"


class ParserCrashError(UnreadableError):
    """The process that reads documents died while it read this one."""

    code = "parser-crash"


class WorkerLostError(UnreadableError):
    """The process that polls died while it polled this source, several times in a row."""

    code = "worker-lost"
    failure_weight = 1.0


class NoFeedError(UnreadableError):
    """A page for browsers, or something else, where the feed should be."""

    code = "no-feed"


class AccountError(SourceError):
    """An account that can't be read."""

    code = "account"
    permanent = True


class MissingAccountError(AccountError):
    """There is no such account."""

    code = "account-missing"


class SuspendedAccountError(AccountError):
    """The network suspended the account."""

    code = "account-suspended"


class ProtectedAccountError(AccountError):
    """Only followers whom it accepted may read the account."""

    code = "account-protected"


class CredentialsError(AccountError):
    """Our credentials are missing, or were refused."""

    code = "credentials"


class NotAllowedError(AccountError):
    """Our credentials are good, but not for this call."""

    code = "not-allowed"


class BudgetError(SourceError):
    """Our own budget leaves nothing for this; nothing was sent."""

    code = "budget"


class CapReachedError(BudgetError):
    """The service says that a usage cap or spending limit is reached."""

    code = "cap-reached"
