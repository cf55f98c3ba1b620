"""Settings of X: credentials, budget and prices, takedown checks, and what X has agreed to."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.budget import DOLLAR, Metered, Prices, Terms
from aggregator.domain.compliance.sweep_mode import Sweeping
from aggregator.domain.networks import BY_NETWORK
from aggregator.domain.settings_schema import Option, number, one_of, secret, secure_address, whole, yes_or_no

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "x"  # name in the ledger
DEFAULT_BASE = "https://api.x.com"

SETTINGS: tuple[Option[Any], ...] = (
    Option("X_BEARER_TOKEN", secret(1), "a token without spaces", "app-only bearer token for the X API", secret=True),
    Option(
        "X_BASE_URL",
        secure_address,
        "an https address, or http on loopback",
        "base URL of the X API",
        DEFAULT_BASE,
    ),
    Option(
        "X_VOCABULARY",
        one_of(("tweets", "posts")),
        "tweets or posts",
        "names of fields in requests: those of the API description up to 2.166, or from 2.167",
        "tweets",
    ),
    Option(
        "X_BUDGET",
        number(0, 1_000_000),
        "dollars, 0 to 1000000",
        "most that X may cost in a cycle; the rest is spread over its remaining days and all accounts",
    ),
    Option(
        "X_RESERVE",
        number(0, 0.9),
        "a part, 0 to 0.9",
        "part of the budget that is reserved for takedown checks",
        "0.1",
    ),
    Option("X_CYCLE_DAY", whole(1, 28), "a day of the month, 1 to 28", "day on which a budget cycle begins, UTC", "1"),
    Option(
        "X_SWEEP",
        Sweeping,
        "auto, jobs, lookup or off",
        "how shown posts are checked for takedowns and edits: jobs (free), lookup (within the reserve), "
        "auto (jobs, and lookup of posts that may have changed; of all posts if jobs are refused), or off",
        "auto",
    ),
    Option(
        "X_ACTIVITY",
        yes_or_no,
        "yes or no",
        "whether 'aggregator listen' and 'aggregator run' receive new and deleted posts from X's Activity API at once; "
        "X bills each new post",
        "no",
    ),
    Option(
        "X_DISPLAY",
        one_of(("full", BY_NETWORK)),
        f"full or {BY_NETWORK}",
        "full: posts are stored and shown; embed: only ids are stored, and pages show X's own embed of a post after a "
        "click, for operators who may not show its content",
        "full",
    ),
    Option(
        "X_PUBLIC_TEXT",
        yes_or_no,
        "yes or no",
        "whether public machine-readable output gives the content of posts, which X must have agreed to",
        "no",
    ),
    Option(
        "X_EMBED",
        yes_or_no,
        "yes or no",
        "whether the embed shows posts on other sites, which X's agreement forbids unless X has agreed",
        "no",
    ),
    Option("X_POST_PRICE", number(0, 100), "dollars, 0 to 100", "price of a returned post", "0.005"),
    Option(
        "X_OWNED_PRICE",
        number(0, 100),
        "dollars, 0 to 100",
        "price of a returned post of a connected account that owns the app",
        "0.001",
    ),
    Option("X_CLIENT_ID", str, "the OAuth 2.0 client ID of an app", "app for connecting own accounts"),
    Option(
        "X_CLIENT_SECRET",
        secret(1),
        "a secret without spaces",
        "client secret of that app, unless it is a public client",
        secret=True,
    ),
    Option("X_USER_PRICE", number(0, 100), "dollars, 0 to 100", "price of a returned account", "0.01"),
)


def metered(kind: str, values: Mapping[str, Any]) -> Metered:
    """Return the configured prices and budget for X."""
    prices = Prices(*(round(values[f"x_{what}_price"] * DOLLAR) for what in ("post", "user", "owned")))
    budget = None if values["x_budget"] is None else round(values["x_budget"] * DOLLAR)
    return Metered(SERVICE, "X", kind, Terms(prices, budget, values["x_reserve"], values["x_cycle_day"]))


def stores_ids_only(values: Mapping[str, Any]) -> bool:
    """Return whether only ids of posts may be requested and stored."""
    return bool(values.get("x_display") == BY_NETWORK)


def token_id(token: str) -> str:
    """Return a name for a token that doesn't reveal it."""
    return hashlib.sha256(token.encode()).hexdigest()[:8]


def price_ratio(values: Mapping[str, Any]) -> float:
    """Return the owner's price as a part of the full price of a post."""
    full, owned = values.get("x_post_price") or 0.0, values.get("x_owned_price") or 0.0
    return float(owned / full) if full and owned else 1.0
