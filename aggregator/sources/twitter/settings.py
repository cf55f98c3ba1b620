"""Settings of X: credentials, budget and prices, takedown checks, and what X has agreed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aggregator.domain.billing.budget import DOLLAR, Metered, Prices, Terms
from aggregator.domain.compliance.sweep_mode import Sweeping
from aggregator.domain.settings_schema import Option, number, one_of, secret, secure_address, whole, yes_or_no

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVICE = "x"  # in the ledger

SETTINGS: tuple[Option[Any], ...] = (
    Option("X_BEARER_TOKEN", secret(1), "a token without spaces", "app-only token for the X API", secret=True),
    Option(
        "X_BASE_URL",
        secure_address,
        "an https address, or http on loopback",
        "where the X API answers",
        "https://api.x.com",
    ),
    Option(
        "X_VOCABULARY",
        one_of(("tweets", "posts")),
        "tweets or posts",
        "which names the X API is asked by: those until its description 2.166, or those from 2.167 on",
        "tweets",
    ),
    Option(
        "X_BUDGET",
        number(0, 1_000_000),
        "dollars, 0 to 1000000",
        "the most that X may cost in a cycle; what is left is spread over its rest and over all accounts",
    ),
    Option(
        "X_RESERVE",
        number(0, 0.9),
        "a part, 0 to 0.9",
        "the part of the budget that is kept for learning which shown posts are gone",
        "0.1",
    ),
    Option("X_CYCLE_DAY", whole(1, 28), "a day of the month, 1 to 28", "when a cycle of the budget begins, UTC", "1"),
    Option(
        "X_SWEEP",
        Sweeping,
        "auto, jobs, lookup or off",
        "how posts are checked that we show: by X's compliance jobs, which cost nothing, by looking them up "
        "within the reserve, by the second where the first is refused, or not at all",
        "auto",
    ),
    Option(
        "X_PUBLIC_TEXT",
        yes_or_no,
        "yes or no",
        "whether machine-readable outputs give anybody the content of posts on X, which X must have agreed to",
        "no",
    ),
    Option(
        "X_EMBED",
        yes_or_no,
        "yes or no",
        "whether the embed shows posts on X in other sites' pages, which X's agreement forbids unless X has agreed",
        "no",
    ),
    Option("X_POST_PRICE", number(0, 100), "dollars, 0 to 100", "what X asks for a post that it returns", "0.005"),
    Option("X_USER_PRICE", number(0, 100), "dollars, 0 to 100", "the same for an account", "0.01"),
)


def metered(kind: str, values: Mapping[str, Any]) -> Metered:
    """Return the prices and the budget that are set for X."""
    prices = Prices(round(values["x_post_price"] * DOLLAR), round(values["x_user_price"] * DOLLAR))
    budget = None if values["x_budget"] is None else round(values["x_budget"] * DOLLAR)
    return Metered(SERVICE, "X", kind, Terms(prices, budget, values["x_reserve"], values["x_cycle_day"]))
