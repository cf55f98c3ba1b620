"""Define the reader's errors and their documentation."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from aggregator.domain.errors import BadRequestError
from aggregator.domain.stream import MOST
from aggregator.web.problems import ProblemKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnknownParameterError(BadRequestError):
    """The endpoint has no such parameter."""

    code = "unknown-parameter"


class RepeatedParameterError(BadRequestError):
    """A parameter is repeated that must not be."""

    code = "repeated-parameter"


class BadLimitError(BadRequestError):
    """The page size isn't a whole number from 1 to 100."""

    code = "bad-limit"


class UnknownKindError(BadRequestError):
    """Unknown kind of activity."""

    code = "unknown-kind"


class UnknownSourceError(BadRequestError):
    """No source has this slug."""

    code = "unknown-source"


class UnknownTopicError(BadRequestError):
    """No topic has this slug."""

    code = "unknown-topic"


class UnknownRevisionError(BadRequestError):
    """The revision is newer than this database."""

    code = "unknown-revision"


class BadTokenError(BadRequestError):
    """The Authorization header has no valid token. The message doesn't reveal which part is wrong."""

    code = "bad-token"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer", "Vary": "Authorization"}

    def __init__(self) -> None:
        super().__init__(
            "The Authorization header has no valid token. Send 'Bearer' and the token, ask for a new one, or omit the "
            "header to read public content."
        )


class TooManyRequestsError(BadRequestError):
    """The client exceeded its rate limit; `headers` contain the time of the next attempt."""

    code = "too-many-requests"

    def __init__(self, sentence: str, headers: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.headers = headers


class GoneError(BadRequestError):
    """The activity was visible earlier; whether it was deleted or hidden isn't revealed."""

    code = "gone"


class UnsupportedFormatError(BadRequestError):
    """The response is not available in the requested format."""

    code = "unsupported-format"


PROBLEMS: Mapping[str, ProblemKind] = {
    "unknown-parameter": ProblemKind(
        HTTPStatus.BAD_REQUEST,
        "Unknown parameter",
        "The endpoint has no such parameter; the message lists the allowed ones.",
    ),
    "repeated-parameter": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Repeated parameter", "This parameter can be given only once."
    ),
    "bad-limit": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Bad limit", f"The page size must be a whole number from 1 to {MOST}."
    ),
    "bad-cursor": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Bad cursor", "The cursor is invalid. Start again without a cursor."
    ),
    "unknown-kind": ProblemKind(HTTPStatus.BAD_REQUEST, "Unknown kind", "Unknown kind of activity."),
    "unknown-source": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Unknown source", "No source has this slug; see /api/v1/sources."
    ),
    "unknown-topic": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Unknown topic", "No topic has this slug; the message lists them."
    ),
    "bad-search": ProblemKind(HTTPStatus.BAD_REQUEST, "Bad search", "The search has no words, or too many."),
    "unknown-revision": ProblemKind(
        HTTPStatus.CONFLICT,
        "Unknown revision",
        "The revision is newer than this database. Mirror it again from 0.",
    ),
    "bad-token": ProblemKind(
        HTTPStatus.UNAUTHORIZED,
        "Bad token",
        "The Authorization header has no valid token. Public content needs no header.",
    ),
    "too-many-requests": ProblemKind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "Rate limit exceeded for searches and further pages; see Retry-After and RateLimit.",
    ),
    "unsupported-format": ProblemKind(
        HTTPStatus.NOT_IMPLEMENTED, "Unsupported format", "The response is not available in the requested format."
    ),
    "gone": ProblemKind(HTTPStatus.GONE, "Gone", "The activity is no longer available."),
}
