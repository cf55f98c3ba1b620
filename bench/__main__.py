"""Measure polling and reading on PostgreSQL and SQLite: `make bench`.

    make bench ARGS="--feeds 100 --database postgresql"
    make bench ARGS="--documents FOLDER --grown FOLDER"     # your own feeds: *.xml, and later versions of them
    make bench ARGS="reading"                               # the reader, over HTTP and with a million activities
    make bench ARGS="sources"                               # the reader, the desk and commands with 100,000 sources
    make bench ARGS="scale"                                 # growth up to a million sources and activities
    make bench ARGS="jetstream"                             # pushed events of 10,000 accounts, in the whole stack

Polling is measured as it runs in production. On PostgreSQL, which is as durable as its defaults, a Celery worker with
the options of docker-compose.yml polls; a step lasts from the dispatch until all sources are stored. On SQLite, one
process polls. A step is complete: claim, fetch over HTTP from a loopback server, parse, screen, store, reschedule.
Requests have no spacing here, and 64 run on the one host at a time; a publisher's host gets one every 2 s.

CPU is that of the whole process tree of the program, and of the database server's. The column "feedparser" is the CPU
of feedparser alone at its defaults, in the same run, for the same documents (every tenth one). It calibrates the
machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from aggregator.config.logging import configure_logging
from bench import jetstream, polling, reading, scale, sources
from bench.farm import farm, write

PARTS = {"reading": reading.main, "sources": sources.main, "scale": scale.main, "jetstream": jetstream.main}


def main() -> None:
    if sys.argv[1:] and sys.argv[1] in PARTS:
        PARTS[sys.argv[1]](sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--entries", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=Path)
    parser.add_argument("--grown", type=Path, action="append")
    parser.add_argument("--database", choices=["postgresql", "sqlite"], action="append")
    arguments = parser.parse_args()
    configure_logging("error", "text")
    with tempfile.TemporaryDirectory() as folder:
        folders = [arguments.documents, *(arguments.grown or ())]
        if not arguments.documents:
            folders = [Path(folder, str(number)) for number in range(arguments.rounds + 1)]
            for number, path in enumerate(folders):
                write(path, arguments.feeds, arguments.entries, grown=number)
        documents = sorted(folders[0].glob("*.xml"))[: arguments.feeds]
        print(f"{len(documents)} feeds, {sum(path.stat().st_size for path in documents) / 1e6:.1f} MB")
        with farm(*folders) as address:
            for database in arguments.database or ["postgresql", "sqlite"]:
                polling.measure(database, address, documents, len(folders) - 1)


if __name__ == "__main__":
    main()
