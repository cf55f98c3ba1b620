"""Define all expected errors, as one tree.

AggregatorError
 ├─ SettingsError               an AGGREGATOR_* variable is invalid
 │   └─ ConfigurationError      a file of the configuration folder is invalid
 ├─ SetupError                  the installation isn't set up for this (schema, lock, missing token)
 │   ├─ SchemaError             the database schema doesn't fit the code
 │   │   └─ NewerSchemaError    it is newer, and the code can't use it
 │   ├─ StoreUnavailableError   the database doesn't respond
 │   └─ WriterRunningError      another process is the single writer of this SQLite database
 ├─ BadRequestError             a reader's or operator's request is invalid
 │   ├─ BadCursorError
 │   ├─ BadSearchError          the search has no words, or too many
 │   ├─ UnconfirmedCostError    the source has a recurring cost that was not confirmed
 │   └─ NotFoundError           no such source or activity
 └─ SourceError                 polling one source failed; other sources of the batch aren't affected
     ├─ FetchError              the HTTP request had no usable response
     │   ├─ UnreachableError    refused, name not found, TLS, no proper HTTP
     │   │   └─ BrokenOffError       reset or closed before the response was complete
     │   ├─ ForbiddenAddressError  the address is private and not allowed
     │   ├─ SlowError           timeout
     │   │   ├─ SlowConnectError      of the connection
     │   │   ├─ SlowFirstByteError    of the headers
     │   │   └─ SlowTotalError        of the whole response
     │   ├─ TooLargeError       a limit is exceeded
     │   │   ├─ WireTooLargeError     of bytes as sent
     │   │   ├─ UnpackedTooLargeError of decompressed bytes
     │   │   └─ HeadersTooLargeError  of a header line, or all of them
     │   ├─ RedirectError       too many redirects, a loop, or a forbidden target
     │   ├─ StatusError         an HTTP error status
     │   │   ├─ GoneError             410: removed permanently
     │   │   ├─ ApiChangedError       the API doesn't know the request
     │   │   └─ RobotCheckError       a bot check
     │   ├─ SignInError         credentials are missing or were rejected
     │   └─ PausedError         the host is paused; nothing was sent
     ├─ UnreadableError         the response isn't valid for this kind of source
     │   ├─ TooComplexError     deeper, wider or longer than any feed needs
     │   ├─ ParserCrashError    the parser process crashed
     │   ├─ WorkerLostError     the worker process crashed several times in a row
     │   └─ NoFeedError         a web page or something else instead of a feed
     ├─ AccountError            the account can't be read
     │   ├─ MissingAccountError   it doesn't exist
     │   ├─ SuspendedAccountError the network suspended it
     │   └─ ProtectedAccountError it is visible to accepted followers only
     ├─ RefusedError            the service refuses all calls of a kind
     │   ├─ CredentialsError      our credentials are missing or were rejected
     │   ├─ NotAllowedError       our credentials don't allow this call
     │   └─ CreditsError          the prepaid credits are used up
     └─ BudgetError             our own budget is used up
         └─ CapReachedError       the service reported a usage cap or spending limit

Each has a stable `code` for programs and a message for people with the problem, its place and the fix.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime


_PASSING = frozenset({408, 425, 429, *range(500, 600)})  # statuses that mean "later", not "never"


class AggregatorError(Exception):
    """An expected error; its message can be shown to people."""

    code: ClassVar[str] = "error"


class SettingsError(AggregatorError):
    """An AGGREGATOR_* variable is invalid."""

    code = "bad-setting"


class ConfigurationError(SettingsError):
    """A file of the configuration folder is invalid."""

    code = "bad-configuration"


class SetupError(AggregatorError):
    """The installation isn't set up for the operation."""

    code = "setup"


class SchemaError(SetupError):
    """The database schema doesn't match the code."""

    code = "schema"


class NewerSchemaError(SchemaError):
    """The database schema is newer than the code, which can't use it."""

    code = "newer-schema"


class StoreUnavailableError(SetupError):
    """The database doesn't answer."""

    code = "store-unavailable"


class WriterRunningError(SetupError):
    """Another process is the single writer of this SQLite database."""

    code = "writer-running"


class BadRequestError(AggregatorError):
    """The request is invalid."""

    code = "bad-request"


class BadCursorError(BadRequestError):
    """The cursor is invalid."""

    code = "bad-cursor"

    def __init__(self, cursor: str) -> None:
        super().__init__(f"The cursor {cursor[:80]!r} is invalid; start again without a cursor.")


class BadSearchError(BadRequestError):
    """The search has no words, or too many."""

    code = "bad-search"


class UnconfirmedCostError(BadRequestError):
    """The source has a recurring cost that was not confirmed."""

    code = "unconfirmed-cost"


class NotFoundError(BadRequestError):
    """The object doesn't exist."""

    code = "not-found"


class SourceError(AggregatorError):
    """Polling one source failed.

    Attributes:
        permanent: retrying is pointless until a person changes something.
        probed_every: the time between retries, however often it fails; None: increasing delays.
        failure_weight: the weight of this failure: 1 is hard, 0.5 soft, 0.25 temporary.
        until: the earliest retry (aware UTC), if the other side named it.
        status: the HTTP status, if there was a response.
    """

    code = "source-failed"
    permanent: ClassVar[bool] = False
    probed_every: ClassVar[timedelta | None] = None
    failure_weight: float = 1.0

    def __init__(self, message: str, *, until: datetime | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.until = until
        self.status = status


class FetchError(SourceError):
    """The HTTP request had no usable response.

    Attributes:
        body: the beginning of the response's body if it was read: of the statuses 403, 429 and 503.
    """

    code = "fetch-failed"
    body: bytes = b""


class UnreachableError(FetchError):
    """The connection was refused, the name was not found, TLS failed, or the server doesn't speak HTTP."""

    code = "unreachable"


class BrokenOffError(UnreachableError):
    """The connection was reset or closed before the response was complete."""

    code = "broken-off"
    failure_weight = 0.25


class ForbiddenAddressError(FetchError):
    """The address is private and not in AGGREGATOR_PRIVATE_NETWORKS, or its scheme isn't supported."""

    code = "forbidden-address"


class SlowError(FetchError):
    """The request timed out."""

    code = "too-slow"
    failure_weight = 0.25


class SlowConnectError(SlowError):
    """Connecting timed out."""

    code = "slow-connect"


class SlowFirstByteError(SlowError):
    """Waiting for the headers timed out."""

    code = "slow-first-byte"


class SlowTotalError(SlowError):
    """The whole response timed out."""

    code = "slow-total"


class TooLargeError(FetchError):
    """The response exceeds a limit."""

    code = "too-large"


class WireTooLargeError(TooLargeError):
    """The compressed response exceeds the limit."""

    code = "too-large-wire"


class UnpackedTooLargeError(TooLargeError):
    """The decompressed response exceeds the limit."""

    code = "too-large-unpacked"


class HeadersTooLargeError(TooLargeError):
    """A header line, or all of them, exceed the limit."""

    code = "too-large-headers"


class RedirectError(FetchError):
    """Too many redirects, a loop, or a redirect that isn't allowed."""

    code = "bad-redirect"


class StatusError(FetchError):
    """The HTTP status isn't a success."""

    code = "http-status"

    def __init__(self, message: str, *, until: datetime | None = None, status: int | None = None) -> None:
        super().__init__(message, until=until, status=status)
        self.failure_weight = 0.25 if status in _PASSING else 1.0


class GoneError(StatusError):
    """410: the publisher removed the document permanently."""

    code = "gone"
    permanent = True


class ApiChangedError(StatusError):
    """The API doesn't know the request: it has changed or has another version."""

    code = "api-changed"


class RobotCheckError(StatusError):
    """The response is a bot check instead of a feed."""

    code = "robot-check"


class SignInError(FetchError):
    """Credentials are missing or were rejected."""

    code = "sign-in"
    permanent = True


class PausedError(FetchError):
    """The host is paused, so nothing was sent."""

    code = "host-paused"


class UnreadableError(SourceError):
    """The response isn't valid for this kind of source."""

    code = "unreadable"
    failure_weight = 0.5


class TooComplexError(UnreadableError):
    """The document is deeper, wider or longer than any feed needs."""

    code = "too-complex"


class ParserCrashError(UnreadableError):
    """The parser process crashed on this document."""

    code = "parser-crash"


class WorkerLostError(UnreadableError):
    """The worker crashed several times in a row while it polled this source."""

    code = "worker-lost"
    failure_weight = 1.0


class NoFeedError(UnreadableError):
    """The response is a web page or something else instead of a feed."""

    code = "no-feed"


class AccountError(SourceError):
    """The account can't be read."""

    code = "account"
    permanent = True


class MissingAccountError(AccountError):
    """The account doesn't exist, or its owner has deactivated it for now."""

    code = "account-missing"
    permanent = False


class SuspendedAccountError(AccountError):
    """The network suspended the account, which may be reversed."""

    code = "account-suspended"
    permanent = False
    probed_every = timedelta(days=1)


class ProtectedAccountError(AccountError):
    """The account is visible to accepted followers only, until its owner opens it again."""

    code = "account-protected"
    permanent = False
    probed_every = timedelta(days=1)


class RefusedError(SourceError):
    """The service refuses all calls of a kind, so that no other source needs to try; see `api_refusals`."""

    code = "refused"


class CredentialsError(RefusedError):
    """Our credentials are missing or were rejected."""

    code = "credentials"


class NotAllowedError(RefusedError):
    """Our credentials don't allow this call."""

    code = "not-allowed"


class CreditsError(RefusedError):
    """The prepaid credits are used up."""

    code = "credits"


class BudgetError(SourceError):
    """Our own budget is used up; nothing was sent."""

    code = "budget"


class CapReachedError(BudgetError):
    """The service reported a usage cap or spending limit."""

    code = "cap-reached"
