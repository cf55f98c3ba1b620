"""Define the JSON responses about the state of a reader."""

from typing import Annotated, Literal

from msgspec import Struct

from aggregator.reader.schema_fields import Instant
from aggregator.reader.schema_fields import described as _doc


class Liveness(Struct, frozen=True):
    """The process is alive."""

    status: Literal["alive"]


class Readiness(Struct, frozen=True):
    """Whether this reader can serve requests, and whether sources are being polled."""

    status: Annotated[Literal["ready", "unavailable"], _doc("Whether requests are served")]
    database: Annotated[str, _doc("ok, or an error code", "ok")]
    last_tick_at: Annotated[Instant | None, _doc("Last dispatch by a scheduler, UTC")]
    last_tick_age: Annotated[float | None, _doc("Seconds since then", 3.2)]
    worker: Annotated[str | None, _doc("Warning where nothing seems to be polled; the reader still serves")]
    reason: Annotated[str | None, _doc("Why the reader can't use a database that answers")] = None
    replica_lag: Annotated[float | None, _doc("Seconds by which the replica is behind; null without one", 0.2)] = None
