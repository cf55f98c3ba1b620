"""Define a source, its polling state, and how sources are selected."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


Json = Any  # what the json module reads and writes

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Policy(StrEnum):
    """What happens to what a source brings."""

    AUTO = "auto"  # shown at once
    DELAY = "delay"  # shown after a while in which people may still take it back
    HOLD = "hold"  # waits for a person


class OnEdit(StrEnum):
    """What becomes of an activity that a person approved when its publisher edits it. X's edits always replace."""

    STAY = "stay"  # it stays as it was approved; the new words wait for a person
    RETURN = "return"  # it takes the new words and waits for a person


class SourceState(StrEnum):
    """Whether a source is polled."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a person
    STOPPED = "stopped"  # by us, for a reason that only a person can mend
    REMOVED = "removed"  # kept only for what its items and gone keys refer to


@dataclass(frozen=True, slots=True)
class PollState:
    """What polling keeps of a source: when it is due, how its last polls ended and what they remember.

    `fetch_state` belongs to the kind of source: validators, watermarks.
    """

    due: datetime | None  # None: it is never polled, since people write its items
    due_reason: str = ""
    failures: int = 0  # in a row
    failure_weight: float = 0.0  # the sum of their weights
    fetch_state: Mapping[str, Json] = field(default_factory=dict)
    interval: timedelta = timedelta(hours=1)  # until the next poll, as the last response had it
    last_polled: datetime | None = None
    last_success: datetime | None = None
    last_new: datetime | None = None  # when a poll last found new items
    last_outcome: str | None = None
    last_error: str | None = None  # the sentence
    last_error_code: str | None = None
    leased_until: datetime | None = None
    publishing_profile: Mapping[str, Json] | None = None  # see `schedule.PublishingProfile`
    pending_redirect: Mapping[str, Json] | None = None  # a permanent redirect that was seen, see `permanent_redirects`
    daily_cost: float | None = None  # dollars a day that reading all of it costs; None: nothing, or not known
    unfinished: int = 0  # polls in a row that began and never ended, including one under way


@dataclass(frozen=True, slots=True)
class Source:
    """What people configure of a source, and the state of its polling.

    `options` belong to the kind of source.
    """

    id: int
    slug: str
    name: str
    kind: str
    address: str
    host: str  # host group and port, by which requests are counted
    options: Mapping[str, Json]
    policy: Policy
    state: SourceState
    state_reason: str
    every: timedelta | None  # between polls, where people set it; otherwise the schedule is adaptive
    floor: timedelta  # the least time between polls
    created: datetime
    revision: int
    poll: PollState
    own_host: str = ""  # name and port
    ceiling: timedelta = timedelta(hours=24)  # the most time between successful polls
    sealed: str | None = None  # encrypted request headers, see `encryption`
    delay: timedelta | None = None  # under the policy to delay
    on_edit: OnEdit = OnEdit.STAY
    trusted: tuple[str, ...] = ()  # handles or names of authors whose items are shown whatever the policy
    managed: str = ""  # the file that says how it is set; "": people do, at the desk or the command line


class SourceFilter(NamedTuple):
    """Which of the sources that were not removed; empty values choose all."""

    kinds: Collection[str] = ()
    state: SourceState | None = None
    managed: str = ""  # the file that says how they are set
    user_id: str = ""  # the account that they follow
    search: str = ""  # part of the name, slug or address, in any case


EVERY_SOURCE = SourceFilter()


class Place(NamedTuple):
    """Where a source lives."""

    address: str
    host: str  # "name:port"; which group of hosts that belongs to is for the store to say


class Parser(Protocol):
    """Reads untrusted documents within limits."""

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a function of a module and return its result, or raise its exception; both can be pickled.

        Raises:
            TooComplexError: it reached a limit. ParserCrashError: its process died.
        """
        ...


class InProcessParser:
    """The `Parser` port without limits, for documents that can be trusted."""

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the function here and now."""
        return function(*args, **kwargs)
