"""Build the error responses of the sample X, with X's texts."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.demo.x_parameters import InvalidError

PROBLEMS = "https://api.twitter.com/2/problems"
HIDDEN = frozenset({"suspended", "deactivated"})  # states of accounts that are visible to no one


def missing_user(parameter: str, value: str) -> dict[str, str]:
    """Return the error for a missing account."""
    return missing("user", parameter, value)


def missing(resource: str, parameter: str, value: str) -> dict[str, str]:
    """Return the error for a missing resource."""
    return {
        "value": value,
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{PROBLEMS}/resource-not-found",
    }


def not_authorized(resource: str, parameter: str, value: str) -> dict[str, str]:
    """Return the error for a resource that is not visible to the client."""
    return {
        "value": value,
        "detail": f"Sorry, you are not authorized to see the {resource} with {parameter}: [{value}].",
        "title": "Authorization Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "section": "data",
        "type": f"{PROBLEMS}/not-authorized-for-resource",
    }


def unseen(parameter: str, value: str, fate: str) -> dict[str, str]:
    """Return the error for a post that is not visible."""
    if fate == "protected":
        return not_authorized("tweet", parameter, value)
    if fate in HIDDEN:
        return {
            **not_authorized("tweet", parameter, value),
            "detail": f"User has been {fate}: the post [{value}] is theirs.",
        }
    return missing("tweet", parameter, value)


def invalid(error: InvalidError, headers: dict[str, str]) -> JSONResponse:
    """Return the response to an invalid parameter."""
    body = {
        "errors": [{"parameters": {error.name: [error.value]}, "message": str(error)}],
        "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": f"{PROBLEMS}/invalid-request",
    }
    return JSONResponse(body, status_code=400, headers=headers, media_type="application/problem+json")


def problem(
    status: int, title: str, *, headers: Mapping[str, str] | None = None, more: Mapping[str, str] = MappingProxyType({})
) -> JSONResponse:
    """Return an error response in X's format."""
    body = {"title": title, "type": "about:blank", "status": status, "detail": title, **more}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


def usage_capped() -> JSONResponse:
    """Return the 429 of a usage cap, which only `type` and `title` distinguish from a rate limit."""
    body = {
        "account_id": 1,
        "product_name": "standard-basic",
        "title": "UsageCapExceeded",
        "period": "Monthly",
        "scope": "Product",
        "detail": "Usage cap exceeded: Monthly product cap",
        "type": f"{PROBLEMS}/usage-capped",
    }
    return JSONResponse(body, status_code=429, media_type="application/problem+json")
