"""Build the errors and error responses of the simulated X, with X's texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aggregator.demo.x_api import PROBLEMS, not_found, problem

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response

HIDDEN = frozenset({"suspended", "deactivated"})  # states of accounts that are visible to no one


class InvalidError(Exception):
    """A parameter that X rejects."""

    def __init__(self, name: str, value: str, message: str) -> None:
        super().__init__(message)
        self._name, self._value = name, value

    def response(self) -> Response:
        """Return the response to the call."""
        return problem(
            400,
            "Invalid Request",
            errors=[{"parameters": {self._name: [self._value]}, "message": str(self)}],
            detail="One or more parameters to your request was invalid.",
            type=f"{PROBLEMS}/invalid-request",
        )


def too_old(name: str, value: str, since: datetime) -> InvalidError:
    """Return the error for a position before the reach of search."""
    return InvalidError(
        name, value, f"'{name}' must be a tweet id created after [{since:%Y-%m-%dT%H:%MZ}]. Use a larger '{name}'."
    )


def not_authorized(resource: str, parameter: str, value: str) -> dict[str, str]:
    """Return the error for a resource that is not visible to the client."""
    return {
        **not_found(resource, parameter, value),
        "detail": f"Sorry, you are not authorized to see the {resource} with {parameter}: [{value}].",
        "title": "Authorization Error",
        "section": "data",
        "type": f"{PROBLEMS}/not-authorized-for-resource",
    }


def hidden_post(parameter: str, value: str, fate: str) -> dict[str, str]:
    """Return the error for a post that is not visible."""
    if fate == "deleted":
        return not_found("tweet", parameter, value)
    detail = {"detail": f"User has been {fate}: the post [{value}] is theirs."} if fate in HIDDEN else {}
    return not_authorized("tweet", parameter, value) | detail


def hidden_user(parameter: str, value: str, how: str) -> dict[str, str]:
    """Return the error for an account that is visible to no one."""
    suspended = {"title": "Forbidden", "detail": f"User has been suspended: [{value}]."}
    return not_found("user", parameter, value) | (suspended if how == "suspended" else {})


def usage_capped() -> Response:
    """Return the 429 of a usage cap, which only `type` and `title` distinguish from a rate limit."""
    return problem(
        429,
        "UsageCapExceeded",
        account_id=1,
        product_name="standard-basic",
        period="Monthly",
        scope="Product",
        detail="Usage cap exceeded: Monthly product cap",
        type=f"{PROBLEMS}/usage-capped",
    )
