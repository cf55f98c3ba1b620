"""What the reader refuses, and how each refusal is documented."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, ClassVar

from aggregator.domain.errors import BadRequestError
from aggregator.domain.stream import MOST
from aggregator.web.problems import ProblemKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnknownParameterError(BadRequestError):
    """A parameter that this address does not have."""

    code = "unknown-parameter"


class RepeatedParameterError(BadRequestError):
    """A parameter that may stand only once stands twice."""

    code = "repeated-parameter"


class BadLimitError(BadRequestError):
    """The page size is no whole number from 1 to 100."""

    code = "bad-limit"


class UnknownKindError(BadRequestError):
    """There is no such kind of activity."""

    code = "unknown-kind"


class UnknownSourceError(BadRequestError):
    """There is no source of this slug."""

    code = "unknown-source"


class UnknownRevisionError(BadRequestError):
    """A revision that this database has not reached."""

    code = "unknown-revision"


class BadTokenError(BadRequestError):
    """An Authorization header that holds no good token. Which part of it is wrong is not told."""

    code = "bad-token"
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": "Bearer", "Vary": "Authorization"}

    def __init__(self) -> None:
        super().__init__(
            "The Authorization header holds no token that is good here. Send 'Bearer' and the token as it was given, "
            "ask for a new one, or leave the header out and read what everybody may."
        )


class TooManyRequestsError(BadRequestError):
    """One client asked for more than its share; `headers` say when to ask again."""

    code = "too-many-requests"

    def __init__(self, sentence: str, headers: Mapping[str, str]) -> None:
        super().__init__(sentence)
        self.headers = headers


class GoneError(BadRequestError):
    """The activity was shown once; whether it was deleted or hidden is not told."""

    code = "gone"


PROBLEMS: Mapping[str, ProblemKind] = {
    "unknown-parameter": ProblemKind(
        HTTPStatus.BAD_REQUEST,
        "Unknown parameter",
        "The address has no such parameter; the sentence lists those it has.",
    ),
    "repeated-parameter": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Repeated parameter", "This parameter may be given only once."
    ),
    "bad-limit": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Bad limit", f"The page size must be a whole number from 1 to {MOST}."
    ),
    "bad-cursor": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Bad cursor", "The cursor is not one that this API gave. Start again without a cursor."
    ),
    "unknown-kind": ProblemKind(HTTPStatus.BAD_REQUEST, "Unknown kind", "There is no such kind of activity."),
    "unknown-source": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Unknown source", "There is no source of this slug; /api/v1/sources lists them."
    ),
    "bad-search": ProblemKind(
        HTTPStatus.BAD_REQUEST, "Bad search", "There is no word to look for, or there are too many of them."
    ),
    "unknown-revision": ProblemKind(
        HTTPStatus.CONFLICT,
        "Unknown revision",
        "The revision is newer than any of this database, so it comes from another one. Mirror anew, from 0.",
    ),
    "bad-token": ProblemKind(
        HTTPStatus.UNAUTHORIZED,
        "Bad token",
        "The Authorization header holds no token that is good here; without the header everybody may read.",
    ),
    "too-many-requests": ProblemKind(
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many requests",
        "More searches or further pages than one client may ask for; see Retry-After and RateLimit.",
    ),
    "gone": ProblemKind(HTTPStatus.GONE, "Gone", "The activity was here once and is shown no longer."),
}
