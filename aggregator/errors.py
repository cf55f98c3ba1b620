"""Everything that can go wrong on purpose, as one tree.

AggregatorError
 ├─ SettingsError               an AGGREGATOR_* variable has a value we can't use
 ├─ SetupError                  the installation is not in a state to do this (schema, lock, missing token)
 │   ├─ SchemaError             the database's schema is older or newer than the code
 │   ├─ StoreUnavailableError   the database does not answer
 │   └─ WriterRunningError      another process is the one writer of this SQLite database
 ├─ BadRequestError             a reader or operator asked for something that can't be
 │   ├─ BadCursorError
 │   └─ NotFoundError           no such source or activity
 └─ SourceError                 polling one source failed; never the batch's fault
     ├─ FetchError              no usable answer came over HTTP
     │   ├─ UnreachableError    refused, reset, name not found, TLS
     │   ├─ ForbiddenAddressError  the address is private and not allowed
     │   ├─ SlowError           connect, first byte or total time ran out
     │   ├─ TooLargeError       bytes on the wire or after decompression, or header size
     │   ├─ RedirectError       too many, a loop, or to a place we refuse to go
     │   ├─ StatusError         an HTTP status that is no success
     │   └─ PausedError         the host asked us to wait; nothing was sent
     ├─ UnreadableError         an answer came, but it is not what the source should give
     ├─ AccountError            the account is missing, suspended or protected; or our credentials were refused
     └─ BudgetError             a usage cap or spending limit is reached

Each carries a stable `code` for programs and a sentence for people that says what, where, why and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import datetime


class AggregatorError(Exception):
    """Something that we foresaw; its text is fit to be shown."""

    code: ClassVar[str] = "error"


class SettingsError(AggregatorError):
    """An AGGREGATOR_* variable can't be used."""

    code = "bad-setting"


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


class NotFoundError(BadRequestError):
    """There is no such thing."""

    code = "not-found"


class SourceError(AggregatorError):
    """Polling one source failed.

    Attributes:
        permanent: trying again without somebody's change is pointless.
        until: do not try before this moment (aware UTC), where the other side said so.
        status: the HTTP status, where there was an answer.
    """

    code = "source-failed"
    permanent: ClassVar[bool] = False

    def __init__(self, message: str, *, until: datetime | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.until = until
        self.status = status


class FetchError(SourceError):
    """No usable answer came over HTTP."""

    code = "fetch-failed"


class UnreachableError(FetchError):
    """Refused, reset, name not found, or TLS failed."""

    code = "unreachable"


class ForbiddenAddressError(FetchError):
    """The address is private and not in AGGREGATOR_PRIVATE_NETWORKS, or of a scheme we never use."""

    code = "forbidden-address"


class SlowError(FetchError):
    """Connecting, the first byte or the whole answer took too long."""

    code = "too-slow"


class TooLargeError(FetchError):
    """More bytes, on the wire or unpacked, than we take."""

    code = "too-large"


class RedirectError(FetchError):
    """Too many redirects, a loop, or one that we refuse to follow."""

    code = "bad-redirect"


class StatusError(FetchError):
    """An HTTP status that is no success."""

    code = "http-status"


class PausedError(FetchError):
    """The host asked us to wait, so nothing was sent."""

    code = "host-paused"


class UnreadableError(SourceError):
    """An answer came, but it is not what this kind of source gives."""

    code = "unreadable"


class AccountError(SourceError):
    """The account is missing, suspended or protected, or our credentials were refused."""

    code = "account"
    permanent = True


class BudgetError(SourceError):
    """A usage cap or spending limit is reached."""

    code = "budget"
