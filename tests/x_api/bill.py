"""Compute the charges of the simulated X: each returned post and account, once per UTC day."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from aggregator.demo.x_api import PROJECT_CAP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

POST_PRICE, USER_PRICE = 0.005, 0.010  # dollars
OWNED_PRICE = 0.001  # of a post of its own that the account that owns the app reads


class Bill:
    """The charges; a list costs as much as a post. `cap` is the most posts that may be returned; None means no cap."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self.requests: Counter[str] = Counter()  # by endpoint
        self.posts: set[tuple[str, str]] = set()  # (day, id)
        self.owned: set[tuple[str, str]] = set()  # those of the posts that have the owner's price
        self.users: set[tuple[str, str]] = set()
        self.cap: int | None = None
        self._clock = clock
        self._lock = threading.Lock()

    @property
    def dollars(self) -> float:
        """Return the total."""
        return self.of("")

    def of(self, month: str) -> float:
        """Return the total of a month ("2026-06")."""
        every = (self.posts - self.owned, self.owned, self.users)
        posts, owned, users = (sum(day.startswith(month) for day, _ in things) for things in every)
        return posts * POST_PRICE + owned * OWNED_PRICE + users * USER_PRICE

    @property
    def is_capped(self) -> bool:
        """Return whether the cap is reached."""
        return self.cap is not None and len(self.posts) >= self.cap

    def charge(self, endpoint: str, answer: Mapping[str, Any], *, owned: bool = False) -> None:
        """Charge for a response in the older vocabulary; `owned`: it has the owner's own posts, read by the owner."""
        day = self._clock().date().isoformat()
        data = answer.get("data") or []
        found = [*(data if isinstance(data, list) else [data]), *answer.get("includes", {}).get("tweets", ())]
        users = [*answer.get("includes", {}).get("users", ()), *(item for item in found if "username" in item)]
        with self._lock:
            self.requests[endpoint] += 1
            if owned:
                self.owned |= {(day, item["id"]) for item in data} - self.posts
            self.posts |= {(day, item["id"]) for item in found if "text" in item or "member_count" in item}
            self.users |= {(day, item["id"]) for item in users}

    def usage(self, *, as_text: bool = False) -> dict[str, Any]:
        """Return the response of the usage endpoint; the newer vocabulary has its numbers as text."""
        number: Callable[[int], Any] = str if as_text else int
        by_day = Counter(day for day, _ in self.posts)
        days = [{"date": f"{day}T00:00:00.000Z", "usage": number(count)} for day, count in sorted(by_day.items())]
        payload: dict[str, Any] = {
            "cap_reset_day": 1,
            "project_cap": number(self.cap or PROJECT_CAP),
            "project_id": "1",
            "project_usage": number(len(self.posts)),
        }
        return {"data": payload | ({"daily_project_usage": {"project_id": number(1), "usage": days}} if days else {})}
