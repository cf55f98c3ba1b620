"""What the desk refuses, and how it says so."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aggregator.domain.errors import BadRequestError
from aggregator.web.problems import ProblemKind

if TYPE_CHECKING:
    from collections.abc import Mapping


class SignInNeededError(BadRequestError):
    """Nobody is signed in."""

    code = "sign-in-needed"


class RoleNeededError(BadRequestError):
    """Whoever is signed in may not do this."""

    code = "role-needed"


class ForeignFormError(BadRequestError):
    """A form that is not ours, or too old."""

    code = "foreign-form"


class ConflictError(BadRequestError):
    """Things are not, or no longer, as this asks for."""

    code = "conflict"


class TooManyTriesError(BadRequestError):
    """Too many sign-ins have failed."""

    code = "too-many-tries"

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(seconds)}


PROBLEMS: Mapping[str, ProblemKind] = {
    "sign-in-needed": ProblemKind(HTTPStatus.UNAUTHORIZED, "Please sign in", "Nobody is signed in."),
    "role-needed": ProblemKind(HTTPStatus.FORBIDDEN, "Not allowed", "Another role is needed for this."),
    "foreign-form": ProblemKind(HTTPStatus.FORBIDDEN, "Form too old", "The form is not ours, or too old."),
    "bad-form": ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY, "Please look again", "A field can't be used."),
    "conflict": ProblemKind(HTTPStatus.CONFLICT, "Not possible now", "Things are not as this asks for."),
    "too-many-tries": ProblemKind(HTTPStatus.TOO_MANY_REQUESTS, "Too many tries", "Too many sign-ins have failed."),
}
