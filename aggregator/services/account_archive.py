"""Import an account's own archive: posts that still exist, or all of them for review."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from aggregator.domain.errors import BadRequestError
from aggregator.domain.polling.results import FetchResult
from aggregator.services.store_result import store_entries
from aggregator.source_api.archive import AccountArchiveSource
from aggregator.sources import kinds
from aggregator.system.thread_pools import in_database_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from aggregator.domain.activity import NewActivity
    from aggregator.domain.source import Source
    from aggregator.services.runtime import Runtime
    from aggregator.source_api.archive import ArchiveCost

HELD = "from an account's archive, not checked at its network"
_BATCH = 200  # posts per transaction


@dataclass(slots=True)
class ArchiveImport:
    """The progress of an import."""

    posts: int = 0  # in the file, without stored ones
    stored: int = 0
    missing: int = 0  # posts that no longer exist


class AccountArchiveImport:
    """Imports the archive of the account that a source follows.

    Raises:
        BadRequestError: the network of the source offers no archives.
    """

    def __init__(self, runtime: Runtime, source: Source, path: Path) -> None:
        kind = kinds()[source.kind]
        if not isinstance(kind, AccountArchiveSource):
            raise BadRequestError(f"{source.slug} is {kind.label}; archives of accounts can't be imported into it.")
        self._runtime = runtime
        self._kind = kind
        self._source = source
        self._path = path
        self._edits_always_show = kind.edits_always_show
        self.done = ArchiveImport()
        with runtime.store.reading() as tx:
            self._known = tx.stream.activities.native_ids(source.id)

    def count(self, *, check: bool) -> int:
        """Return the number of posts in the file that an import would store, unless they no longer exist.

        Raises:
            BadRequestError: the file is damaged, or of another account. The methods below raise it, too.
        """
        return sum(1 for _ in self._new(complete=not check))

    def cost(self, posts: int) -> ArchiveCost:
        """Return what it may cost to look posts up."""
        return self._kind.lookup_cost(posts, self._runtime.settings.kinds)

    def run(self, *, check: bool, report: Callable[[], None]) -> None:
        """Store new posts, and report the progress after each batch.

        Args:
            check: store those that exist at the network, as they are there; False: hold all for review.
            report: called after each batch.

        Raises:
            SourceError: a look-up failed; the batches before it are stored, and another run continues.
        """
        done = self.done
        posts = self._new(complete=not check)
        size = self._kind.most_looked_up if check else _BATCH
        while batch := list(islice(posts, size)):
            done.posts += len(batch)
            done.stored += self._runtime.run(self._import(batch, check=check))
            done.missing = done.posts - done.stored if check else 0
            report()

    def _new(self, *, complete: bool) -> Iterator[NewActivity]:
        every = self._kind.archived(self._path, self._source, complete=complete)
        return (new for new in every if new.native_id not in self._known)

    async def _import(self, batch: Sequence[NewActivity], *, check: bool) -> int:
        if check:
            ids = [new.native_id for new in batch]
            batch = await self._kind.current(ids, self._source, await self._runtime.context())
        return await in_database_thread(self._store, batch, "" if check else HELD)

    def _store(self, batch: Sequence[NewActivity], hold: str) -> int:
        runtime, result = self._runtime, FetchResult(activities=batch, state=self._source.poll.fetch_state)
        with runtime.store.writing() as tx:
            return store_entries(
                tx,
                self._source,
                result,
                runtime.clock(),
                runtime.configuration.tagger,
                edits_always_show=self._edits_always_show,
                hold=hold,
            ).new
