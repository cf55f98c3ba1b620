"""Check that a long-running polling process keeps its memory: `python -m bench.memory --minutes 10`.

500 feeds of about 100 KB each, without validators, so that every poll fetches the whole document; in every other round,
one in twenty has changed. The memory is printed for every round; it is flat if the last rounds need no more than the
first rounds after the warm-up.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from aggregator.config.logging import configure_logging
from bench.farm import farm, switch, write
from bench.polling import container_on, follow
from bench.programs import poll


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--entries", type=int, default=48)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="postgresql")
    arguments = parser.parse_args()
    configure_logging("error", "text")
    with tempfile.TemporaryDirectory() as folder, container_on(arguments.database) as container:
        first, grown = Path(folder, "first"), Path(folder, "grown")
        write(first, arguments.feeds, arguments.entries)
        write(grown, arguments.feeds, arguments.entries, grown=1)
        size = sum(path.stat().st_size for path in first.glob("*.xml")) / arguments.feeds
        print(f"{arguments.feeds} feeds of {size / 1000:.0f} kB on {arguments.database}; memory in MB, round by round:")
        with farm(first, grown) as address:
            switch(address, "plain")
            ids = follow(container, address, [path.stem for path in sorted(first.glob("*.xml"))])
            memory: list[float] = []
            end = time.monotonic() + 60 * arguments.minutes
            while time.monotonic() < end:
                poll(container, ids)
                switch(address, "grow")
                memory.append(_memory())
                print(f"{memory[-1]:.1f}", end=" ", flush=True)
    settled = memory[len(memory) // 10 :]
    print(f"\n{len(memory)} rounds; after a tenth of them {settled[0]:.1f} MB, at the end {settled[-1]:.1f} MB")


def _memory() -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
