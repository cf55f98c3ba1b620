"""Define the interface through which use cases reach their process; the container implements it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from datetime import datetime

    from aggregator.config.portal_folder import Configuration
    from aggregator.config.settings import Settings
    from aggregator.services.dispatch import Limits
    from aggregator.source_api.kind import PollContext
    from storage.store import Store

_T = TypeVar("_T")


class Runtime(Protocol):
    """The parts of a process that use cases share."""

    limits: Limits

    @property
    def settings(self) -> Settings:
        """All settings; secrets may change."""
        ...

    @property
    def store(self) -> Store:
        """The database."""
        ...

    @property
    def configuration(self) -> Configuration:
        """Topics, countries and the front page."""
        ...

    def clock(self) -> datetime:
        """Return the present time."""
        ...

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on the event loop of the process and wait for it."""
        ...

    async def context(self, deadline: float = ...) -> PollContext:
        """Return the context of kinds of source."""
        ...
