"""Run a process as another version: `python -m tests.stack.versions former aggregator serve`.

`former` doesn't know the newest migration. `next` knows a backfill that this version doesn't.
"""

from __future__ import annotations

import sys

from storage import backfills, schema
from storage.backfills import Backfill

BACKFILL = Backfill(
    name="next: threads",
    table="activity",
    statement="UPDATE activity SET thread = native_id WHERE id > :after AND id <= :upto AND thread IS NULL",
)


def _become(version: str) -> None:
    if version == "next":
        backfills.BACKFILLS[BACKFILL.name] = BACKFILL
    else:
        former = schema._known()[:-1]
        schema._known = lambda: former  # type: ignore[assignment]


def _run(program: str, *words: str) -> None:
    sys.argv = [program, *words]
    if program == "celery":
        from celery.__main__ import main

        main()
    else:
        from aggregator.__main__ import aggregator

        aggregator()


if __name__ == "__main__":
    _become(sys.argv[1])
    _run(*sys.argv[2:])
