"""Define the errors of the review desk."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aggregator.domain.errors import BadRequestError
from aggregator.web.problems import ProblemKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.domain.access.accounts import Account


class SignInNeededError(BadRequestError):
    """No user is signed in."""

    code = "sign-in-needed"


class RoleNeededError(BadRequestError):
    """The user's role does not allow the action."""

    code = "role-needed"


class ForeignFormError(BadRequestError):
    """The form has expired or comes from another site."""

    code = "foreign-form"


class ConflictError(BadRequestError):
    """The item or setting is not in the needed state."""

    code = "conflict"


class SecondFactorNeededError(BadRequestError):
    """The password is correct, but the user must enter a code or use a passkey, too."""

    code = "second-factor-needed"

    def __init__(self, account: Account, *, has_app: bool) -> None:
        super().__init__("The password is correct. Now use your passkey to sign in.")
        self.account = account
        self.has_app = has_app  # a code is accepted, too


class TooManyTriesError(BadRequestError):
    """Too many sign-in attempts have failed."""

    code = "too-many-tries"

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message)
        self.headers = {"Retry-After": str(seconds)}


PROBLEMS: Mapping[str, ProblemKind] = {
    "sign-in-needed": ProblemKind(HTTPStatus.UNAUTHORIZED, "Sign in required", "No user is signed in."),
    "role-needed": ProblemKind(HTTPStatus.FORBIDDEN, "Not allowed", "The action needs another role."),
    "foreign-form": ProblemKind(HTTPStatus.FORBIDDEN, "Form expired", "The form has expired or is from another site."),
    "bad-form": ProblemKind(HTTPStatus.UNPROCESSABLE_ENTITY, "Check the form", "A field is invalid."),
    "conflict": ProblemKind(HTTPStatus.CONFLICT, "Not possible now", "The item or setting has changed."),
    "second-factor-needed": ProblemKind(
        HTTPStatus.UNPROCESSABLE_ENTITY, "Second factor required", "The password is not enough."
    ),
    "too-many-tries": ProblemKind(HTTPStatus.TOO_MANY_REQUESTS, "Too many attempts", "Too many failed sign-ins."),
}
