"""Define a source, its polling state, and filters of sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping


Json = Any  # any value of the json module

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Policy(StrEnum):
    """How new items of a source are published."""

    AUTO = "auto"  # shown at once
    DELAY = "delay"  # shown after a delay in which people can hide it
    HOLD = "hold"  # waits for review


class OnEdit(StrEnum):
    """How edits of approved activities are treated. Edits on X always replace the content."""

    STAY = "stay"  # the approved content stays; the new content waits for review
    RETURN = "return"  # the activity gets the new content and waits for review


class Undescribed(StrEnum):
    """How new items with images without description are treated, where the policy would publish them."""

    ALLOW = "allow"
    HOLD = "hold"  # they wait for review, where editors can describe the images


class SourceState(StrEnum):
    """Whether a source is polled."""

    ACTIVE = "active"
    PAUSED = "paused"  # by a person
    STOPPED = "stopped"  # by us, for a reason that a person must fix
    REMOVED = "removed"  # kept only as a reference for its items and removed keys


@dataclass(frozen=True, slots=True)
class PollState:
    """The stored state of polling: due time, last results and fetch state.

    `fetch_state` belongs to the kind of source: validators, watermarks. Its `note` lists the repairs and
    guesses in the last document.
    """

    due: datetime | None  # None: never polled, since people write its items
    due_reason: str = ""
    failures: int = 0  # in a row
    failure_weight: float = 0.0  # the sum of their weights
    fetch_state: Mapping[str, Json] = field(default_factory=dict)
    interval: timedelta = timedelta(hours=1)  # until the next poll, from the last response
    last_polled: datetime | None = None
    last_success: datetime | None = None
    last_new: datetime | None = None  # when a poll last found new items
    last_outcome: str | None = None
    last_error: str | None = None  # the message
    last_error_code: str | None = None
    publishing_profile: Mapping[str, Json] | None = None  # see `schedule.PublishingProfile`
    pending_redirect: Mapping[str, Json] | None = None  # a permanent redirect that was seen, see `permanent_redirects`
    watch: Mapping[str, Any] | None = None  # facts of earlier polls, see `monitoring.watching`
    daily_cost: float | None = None  # dollars a day for reading everything; None: free or unknown
    unfinished: int = 0  # while it is polled: polls in a row that started and never ended, including this one

    @property
    def document_note(self) -> str | None:
        """The faults of the last document, which could still be read; None: it had none."""
        note = self.fetch_state.get("note")
        return note if isinstance(note, str) else None


@dataclass(frozen=True, slots=True)
class Source:
    """The settings of a source, and the state of its polling.

    `options` belong to the kind of source.
    """

    id: int
    slug: str
    name: str
    kind: str
    address: str
    host: str  # host group and port, the name of its rate limit
    options: Mapping[str, Json]
    policy: Policy
    state: SourceState
    state_reason: str
    every: timedelta | None  # configured interval between polls; None: adaptive
    floor: timedelta  # minimum time between polls
    created: datetime
    revision: int
    poll: PollState
    own_host: str = ""  # name and port
    ceiling: timedelta = timedelta(hours=24)  # maximum time between successful polls
    sealed: str | None = None  # encrypted request headers, see `encryption`
    delay: timedelta | None = None  # under the policy "delay"
    on_edit: OnEdit = OnEdit.STAY
    trusted: tuple[str, ...] = ()  # handles or names of authors whose items are published under any policy
    managed: str = ""  # the file that defines its settings; "": people set them at the desk or the command line
    undescribed: Undescribed = Undescribed.ALLOW
    folder: str = ""  # a group on the desk's page of sources


LONGEST_FOLDER = 60  # characters


class SourceFilter(NamedTuple):
    """A filter of sources that aren't removed; empty values match all."""

    kinds: Collection[str] = ()
    state: SourceState | None = None
    managed: str = ""  # the file that defines their settings
    user_id: str = ""  # the account that they follow
    search: str = ""  # part of the name, slug or address, in any case
    folder: str = ""


EVERY_SOURCE = SourceFilter()


class Place(NamedTuple):
    """The address and host of a source."""

    address: str
    host: str  # "name:port"; the store maps it to its host group


class Parser(Protocol):
    """Parses untrusted documents within limits."""

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call a module-level function and return its result, or raise its exception; both must be picklable.

        Raises:
            TooComplexError: it exceeded a limit. ParserCrashError: its process died.
        """
        ...


class InProcessParser:
    """The `Parser` port without limits, for trusted documents."""

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Call the function in this process."""
        return function(*args, **kwargs)
