"""Cause faults in the whole stack: `make faults SEED=7 FAULTS=200`. A seed gives the same faults in the same order.

Prints a line for each fault, a table by kind, and what broke a promise; the exit code is 1 if anything did.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from pathlib import Path

from tests.faults.injection.drill import Drill, settle
from tests.faults.injection.report import show, violations
from tests.faults.injection.stage import Stage


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60, help="the most that the faults may take")
    parser.add_argument("--longest", type=float, default=6, help="seconds that a fault may last; 30 takes long")
    parser.add_argument("--only", default="", help="kinds of fault whose name contains one of these words")
    parser.add_argument("--logs", type=Path, help="an existing folder for the logs")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that everything that was started ends
    print(f"seed {arguments.seed}, {arguments.faults} faults", flush=True)
    with tempfile.TemporaryDirectory() as temporary, Stage(arguments.logs or Path(temporary), arguments.seed) as stage:
        drill = Drill(stage, arguments.seed, longest=arguments.longest)
        drill.run(drill.choose(arguments.faults, arguments.only.split(",")), arguments.minutes)
        return 1 if finish(stage, drill) else 0


def finish(stage: Stage, drill: Drill) -> list[str]:
    """Compare everything, print the report, and return what broke a promise."""
    differences = settle(stage)
    show(drill.outcomes, drill.quiet)
    items = list(stage.farm.items.values())
    removed = sum(item.removed is not None for item in items)
    longest = max(drill.gaps.values(), default=0.0)
    print(f"{len(items)} items published, {removed} of them removed; no feed was unpolled for over {longest:.0f} s")
    found = [*violations(stage, drill.outcomes, drill.quiet, patience=drill.patience), *differences]
    for problem in found:
        print(f"VIOLATION {problem}")
    print("nothing lost, doubled or shown after its removal" if not differences else f"{len(differences)} differences")
    return found


if __name__ == "__main__":
    sys.exit(main())
