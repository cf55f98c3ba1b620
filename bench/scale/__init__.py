"""Measure how costs grow with the number of sources and activities: `make bench ARGS="scale"`.

    make bench ARGS="scale sources --count 1000 --count 100000"
    make bench ARGS="scale stream --count 20000"
    make bench ARGS="scale capacity"                        # no database: arithmetic from the measured costs

The database is a PostgreSQL of its own, as durable as its defaults. Rows are made in bulk by `generate_series`, without
waiting for the disk; measured writes wait for it.
"""

from __future__ import annotations

import argparse

from bench.scale import capacity, sources, stream

PARTS = {"sources": sources.measure, "stream": stream.measure}


def main(arguments: list[str]) -> None:
    """Run the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", help="sources, stream or capacity; none: all")
    parser.add_argument("--count", type=int, action="append", help="rows; may be repeated")
    given = parser.parse_args(arguments)
    parts = given.part or [*PARTS, "capacity"]
    for name in parts:
        if name in PARTS:
            PARTS[name](given.count)
        elif name == "capacity":
            capacity.show()
        else:
            parser.error(f"unknown part {name!r}")
