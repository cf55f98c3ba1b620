"""Who may import whom. What is under `if TYPE_CHECKING` does not run and does not count."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TYPES = {"activity", "source", "fate", "stream", "errors", "options", "settings", "accounts", "private_files"}
PURE = {
    "text", "cadence", "addresses", "hosts", "unpack", "fetch_errors", "logs", "robot_checks", "groups", "identity",
    "moves", "burst", "seal", "fingerprint", "findable", "trackers", "embeds", "budget", "tokens", "rules", "resolving",
    "threads", "conditions", "freezes", "screening", "stories", "topics", "occasions",
}  # fmt: skip
STORED_BY = (
    "groups", "identity", "budget", "fingerprint", "findable", "stitching", "tokens", "text", "decisions", "queue",
    "history", "rules", "stories", "topics", "conditions", "resemblance", "freezes", "alerts",
)  # fmt: skip  # that storing needs
OURS = ("aggregator", "storage", "worker", "scheduler")

# Room -> what of ours it may import, by prefix. The first room that a module is in counts.
_types = {f"aggregator.{name}" for name in TYPES}
_pure = {f"aggregator.{name}" for name in PURE}
ROOMS: list[tuple[str, set[str]]] = [
    *((f"aggregator.{name}", _types) for name in TYPES),
    ("aggregator.text", _types | {"aggregator.trackers", "aggregator.embeds"}),
    *((f"aggregator.{name}", _types | {"aggregator.text"}) for name in ("fingerprint", "findable", "search")),
    *((f"aggregator.{name}", _types | {"aggregator.text"}) for name in ("topics", "stories")),
    ("aggregator.countries", set()),
    ("aggregator.vocabulary", _types | {"aggregator.topics", "aggregator.countries"}),
    ("aggregator.portal", _types),
    ("aggregator.opml", _types),
    ("aggregator.configuration", _types | {"aggregator.vocabulary", "aggregator.portal"}),
    ("aggregator.cadence", _types),
    *(
        (f"aggregator.{name}", _types | _pure)
        for name in ("addresses", "hosts", "unpack", "fetch_errors", "logs", "robot_checks", "resolving", "fetch")
    ),
    *(
        (f"aggregator.{name}", _types)
        for name in ("groups", "identity", "moves", "burst", "seal", "trackers", "embeds", "tokens")
    ),
    *((f"aggregator.{name}", _types) for name in ("budget", "passwords", "freezes", "resemblance", "health")),
    ("aggregator.alerts", _types | {"aggregator.health"}),
    ("aggregator.startup", _types),
    ("aggregator.broker", set()),
    ("aggregator.attending", _types | {"aggregator.alerts"}),
    ("aggregator.conditions", _types | {"aggregator.text"}),  # and `resemblance` where types are checked
    ("aggregator.rules", _types | {"aggregator.text", "aggregator.conditions"}),
    ("aggregator.screening", _types | {"aggregator.text"}),
    ("aggregator.rehearsal", _types | {f"aggregator.{name}" for name in ("rules", "conditions", "resemblance")}),
    *((f"aggregator.{name}", _types) for name in ("stitching", "decisions", "queue", "differences", "history")),
    ("aggregator.spending", _types | {"aggregator.budget", "aggregator.threads"}),  # a port over the store
    ("aggregator.people", _types | {"aggregator.threads"}),
    ("aggregator.compliance", _types | _pure | {"aggregator.ingest", "aggregator.updates", "storage.compliance"}),
    ("aggregator.updates", _types | _pure | {"aggregator.ingest"}),
    ("aggregator.purge", _types | {"storage.removals"}),
    ("aggregator.turns", _types | _pure | {"storage.hosts"}),  # the port over the store
    ("aggregator.parser_process", {"aggregator.errors"}),
    ("aggregator.parsing", {"aggregator.errors", "aggregator.parser_process"}),
    ("aggregator.polling", _types | _pure | {"aggregator.fetch"}),
    ("aggregator.occasions", _types),
    ("aggregator.threads", set()),
    ("aggregator.sources.ical", _types | _pure | {"aggregator.fetch", "aggregator.polling", "aggregator.sources.ical"}),
    ("aggregator.ingest", _types | _pure),
    *((f"aggregator.{name}", _types | _pure | {"aggregator.ingest"}) for name in ("subscribe", "manual")),
    ("aggregator.sources.rss", _types | _pure | {"aggregator.fetch", "aggregator.polling", "aggregator.sources.rss"}),
    ("aggregator.sources.twitter", _types | _pure | {"aggregator.fetch", "aggregator.sources.twitter"}),
    ("aggregator.web", _types | {"aggregator.text", "aggregator.countries", "aggregator.web"}),
    (
        "aggregator.reader",
        _types
        | {
            f"aggregator.{name}"
            for name in (
                "text",
                "search",
                "findable",
                "tokens",
                "health",
                "web",
                "reader",
                "countries",
                "configuration",
                "portal",
            )
        },
    ),
    (
        "aggregator.review",
        _types
        | {
            f"aggregator.{name}"
            for name in ("text", "search", "rules", "conditions", "rehearsal", "decisions", "queue", "differences")
        }
        | {f"aggregator.{name}" for name in ("web", "review", "cadence", "freezes", "history", "passwords", "health")},
    ),
    ("aggregator.demo", _types | {"aggregator.text", "aggregator.demo"}),
    ("storage", _types | {"storage"} | {f"aggregator.{name}" for name in STORED_BY}),
]
WIRING = ("aggregator.__main__", "aggregator.commands", "aggregator.wiring", "aggregator.pull", "worker", "scheduler")

# Library -> the only places that may import it.
FENCES = {
    "celery": ("worker", "scheduler"),
    "kombu": ("worker", "scheduler"),
    "sqlalchemy": ("storage",),
    "alembic": ("storage",),
    "tweepy": ("aggregator.sources.twitter.api",),
    "requests": ("aggregator.sources.twitter",),
    "icalendar": ("aggregator.sources.ical", "aggregator.reader.calendar"),
    "recurring_ical_events": ("aggregator.sources.ical",),
    "feedparser": ("aggregator.sources.rss.syndication",),
    "lxml": ("aggregator.opml", "aggregator.sources.rss", "aggregator.reader.feeds"),
    "cryptography": ("aggregator.seal",),
    "argon2": ("aggregator.passwords",),
    "re2": ("aggregator.conditions",),
    "brotli": ("aggregator.unpack",),
    "babel": ("aggregator.countries", "aggregator.web.dates"),
    "aiohttp": ("aggregator.resolving", "aggregator.fetch", "aggregator.fetch_errors"),
    "nh3": ("aggregator.text",),
    "fastapi": ("aggregator.web", "aggregator.reader", "aggregator.review", "aggregator.demo"),
    "starlette": ("aggregator.web", "aggregator.reader", "aggregator.review", "aggregator.demo"),
    "limits": ("aggregator.reader.rationing",),
    "redis": ("aggregator.reader.rationing",),
    "uvicorn": ("aggregator.demo", "aggregator.commands.running", "aggregator.commands.protocol"),
}


def _modules() -> Iterator[tuple[str, Path]]:
    for path in [
        *ROOT.glob("aggregator/**/*.py"),
        *ROOT.glob("storage/*.py"),
        ROOT / "worker.py",
        ROOT / "scheduler.py",
    ]:
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


MODULES = dict(_modules())


def _runs(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk everything that runs, in functions too, but nothing below `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _runs(node)


@cache
def _imports(path: Path) -> frozenset[str]:
    found: set[str] = set()
    for node in _runs(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in named}
    return frozenset(found)


def _within(name: str, rooms: tuple[str, ...] | set[str]) -> bool:
    return any(name == room or name.startswith(room + ".") for room in rooms)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_only_what_its_room_may(module: str) -> None:
    if _within(module, WIRING) or module in {"aggregator", "aggregator.sources"}:
        return
    allowed = next((may for room, may in ROOMS if _within(module, (room,))), None)
    assert allowed is not None, f"{module} is in no room; say in this test what it may import"
    ours = {name for name in _imports(MODULES[module]) if _within(name, OURS)}
    assert {name for name in ours if not _within(name, allowed)} == set()


@pytest.mark.parametrize("library", sorted(FENCES))
def test_a_library_stays_behind_its_fence(library: str) -> None:
    users = {name for name, path in MODULES.items() if any(_within(used, (library,)) for used in _imports(path))}
    assert users, f"nothing uses {library} any more; take its fence away"
    assert {name for name in users if not _within(name, FENCES[library])} == set()


def test_no_module_is_named_like_one_of_the_standard_library() -> None:
    names = {path.stem for path in MODULES.values()} - {"__init__", "__main__"}
    # Inside a package these hide nothing; at the top level they would.
    assert {
        name for name in ("worker", "scheduler", "storage", "aggregator") if name in sys.stdlib_module_names
    } == set()
    assert names & {"utils", "helpers", "base", "manager", "misc", "common"} == set()


def test_the_command_line_answers_before_anything_heavy_is_loaded() -> None:
    heavy = ["celery", "sqlalchemy", "tweepy", "requests", "feedparser", "fastapi", "aiohttp", "pydantic"]
    script = f"import sys, aggregator.__main__; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
