"""What the sample X says when it can't give what was asked for, in X's words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aggregator.demo.x_parameters import InvalidError

PROBLEMS = "https://api.twitter.com/2/problems"
HIDDEN = frozenset({"suspended", "deactivated"})  # accounts that are not there for anybody


def missing_user(parameter: str, value: str) -> dict[str, str]:
    """Say that there is no such account."""
    return missing("user", parameter, value)


def missing(resource: str, parameter: str, value: str) -> dict[str, str]:
    """Say that there is no such thing."""
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
    """Say that nobody may see it."""
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
    """Say why a post can't be seen."""
    if fate == "protected":
        return not_authorized("tweet", parameter, value)
    if fate in HIDDEN:
        return {
            **not_authorized("tweet", parameter, value),
            "detail": f"User has been {fate}: the post [{value}] is theirs.",
        }
    return missing("tweet", parameter, value)


def invalid(error: InvalidError, headers: dict[str, str]) -> JSONResponse:
    """Return the refusal of a parameter."""
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
    """Return a problem as X words it."""
    body = {"title": title, "type": "about:blank", "status": status, "detail": title, **more}
    return JSONResponse(body, status_code=status, headers=headers, media_type="application/problem+json")


def usage_capped() -> JSONResponse:
    """Return the 429 of a usage cap, which only `type` and `title` tell from a rate limit."""
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
