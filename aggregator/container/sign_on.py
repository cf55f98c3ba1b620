"""Connect the sign-on provider to the HTTP client of the process."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aggregator.domain.access.single_sign_on import CALLBACK, SignOnRequest
from aggregator.domain.polling.host_limits import HostTurn
from aggregator.fetching.limits import Limits
from aggregator.services.single_sign_on import SingleSignOn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aggregator.config.settings import Settings
    from aggregator.container.clients import PollClients
    from aggregator.domain.clock import Clock
    from aggregator.services.single_sign_on import Run

# Users wait for these few small documents.
_LIMITS = Limits(look_up=3.0, connect=3.0, first_byte=8.0, total=10.0, wire=256 * 1024, decoded=512 * 1024, redirects=0)


def connect_provider(settings: Callable[[], Settings], clock: Clock, run: Run, clients: PollClients) -> SingleSignOn:
    """Return the provider of the settings."""
    return SingleSignOn(settings, clock, run, lambda addresses: clients.http(_Unlimited(), _LIMITS, addresses))


def check_provider(provider: SingleSignOn, public_url: str) -> None:
    """Check that users can sign in at the provider and return from it.

    Raises:
        SignOnError: they can't; the message contains the reason.
    """
    provider.check(SignOnRequest("doctor", "doctor", secrets.token_urlsafe(48), f"{public_url}{CALLBACK}"))


class _Unlimited:
    """The `RateLimiter` port without limits: a user waits, and the provider is not a publisher."""

    @asynccontextmanager
    async def acquire(self, host: str, endpoint: str = "") -> AsyncIterator[HostTurn]:
        """Grant a slot at once."""
        del host, endpoint
        yield HostTurn()

    async def pause(self, host: str, until: datetime | None, reason: str, endpoint: str = "") -> datetime:
        """Return the time until which the host asks for a pause."""
        del host, reason, endpoint
        return until or datetime.now(UTC)
