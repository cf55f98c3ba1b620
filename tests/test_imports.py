"""Check which modules may import which, also under `if TYPE_CHECKING`, except for `Store` and `Transaction`."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# All in one process, since reading every module takes seconds.
pytestmark = pytest.mark.xdist_group("imports")
ROOT = Path(__file__).parents[1]
OURS = ("aggregator", "storage", "worker", "scheduler")
PORTS = frozenset({"Store", "Transaction"})  # annotations of these may stand anywhere; the objects are arguments

# Package -> the packages that it may import besides itself. A package that is not listed may import everything.
RULES = {
    "text": (),
    "system": (),
    "event_loop": (),
    "domain": ("text",),
    "config": ("domain", "system", "registry"),  # kinds of source declare settings
    "fetching": ("domain", "text", "system"),
    "source_api": ("domain", "text", "fetching", "system"),
    "sources": ("domain", "text", "fetching", "source_api", "system"),
    "storage": ("domain", "text", "system"),
    "services": ("domain", "text", "fetching", "source_api", "config", "storage", "system", "registry"),
    "web": ("domain", "text", "config", "system"),
    "reader": ("domain", "text", "config", "system", "web"),
    "review": ("domain", "text", "config", "system", "web"),
    "demo": ("domain", "text"),
}
EVERYTHING = {"container", "cli", "worker", "scheduler", "__main__", "registry"}

# Library -> the only places that may import it.
FENCES = {
    "celery": ("worker", "scheduler", "aggregator.cli.embedded"),
    "kombu": ("worker", "scheduler", "aggregator.config.broker"),
    "opentelemetry": ("aggregator.system.tracing",),
    "sentry_sdk": ("aggregator.system.error_reports",),
    "amqp": ("aggregator.services.rabbitmq_probe",),
    "sqlalchemy": ("storage",),
    "alembic": ("storage",),
    "tweepy": ("aggregator.sources.twitter.api",),
    "requests": ("aggregator.sources.twitter",),
    "icalendar": ("aggregator.sources.ical", "aggregator.reader.ical_feed"),
    "recurring_ical_events": ("aggregator.sources.ical",),
    "feedparser": ("aggregator.sources.rss.feedparser_reader",),
    "lxml": (
        "aggregator.services.subscription_lists.opml",
        "aggregator.sources.rss",
        "aggregator.sources.youtube.videos",
        "aggregator.reader.feeds",
    ),
    "PIL": ("aggregator.web.image_scaling", "aggregator.demo.pictures"),
    "cryptography": ("aggregator.config.credential_encryption", "aggregator.config.totp"),
    "segno": ("aggregator.review.authenticator_apps",),
    "joserfc": ("aggregator.services.id_tokens", "aggregator.services.single_sign_on"),
    "webauthn": ("aggregator.review.passkey_ceremonies",),
    "argon2": ("aggregator.config.passwords",),
    "re2": ("aggregator.domain.moderation.conditions",),
    "brotli": ("aggregator.fetching.content_encoding",),
    "babel": (
        "aggregator.config.option_values",
        "aggregator.domain.tagging.countries",
        "aggregator.sources.rss.authors",
        "aggregator.sources.rss.date_words",
        "aggregator.web.dates",
        "aggregator.web.translation",
    ),
    "aiohttp": (
        "aggregator.fetching.client",
        "aggregator.fetching.line_stream",
        "aggregator.fetching.dns_resolver",
        "aggregator.fetching.errors",
        "aggregator.fetching.response_body",
        "aggregator.fetching.web_socket",
    ),
    "nh3": ("aggregator.text.html",),
    "fastapi": ("aggregator.web", "aggregator.reader", "aggregator.review", "aggregator.demo"),
    "starlette": ("aggregator.web", "aggregator.reader", "aggregator.review", "aggregator.demo"),
    "limits": ("aggregator.reader.rate_limits",),
    "prometheus_client": ("aggregator.reader.metrics",),
    "redis": ("aggregator.reader.rate_limits", "aggregator.services.redis_probe"),
    "uvicorn": ("aggregator.demo", "aggregator.cli.serve", "aggregator.web.http_protocol"),
}


class Import(NamedTuple):
    """One imported module and the names taken from it; none for `import module`."""

    module: str
    names: frozenset[str]
    runs: bool  # not only where types are checked


def _modules() -> Iterator[tuple[str, Path]]:
    for path in [*ROOT.glob("aggregator/**/*.py"), *ROOT.glob("storage/**/*.py")]:
        if "migrations" not in path.parts:
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(part for part in parts if part != "__init__"), path
    yield "worker", ROOT / "worker.py"
    yield "scheduler", ROOT / "scheduler.py"


MODULES = dict(_modules())


def _package(module: str) -> str:
    """Return the package whose rule applies to a module; each kind of source is a package of its own."""
    parts = module.split(".")
    if parts[0] != "aggregator":
        return parts[0]
    if parts[:2] == ["aggregator", "sources"]:
        return f"sources.{parts[2]}" if len(parts) > 2 else "registry"
    return parts[1] if len(parts) > 1 else "aggregator"


def _walk(tree: ast.AST, *, runs: bool = True) -> Iterator[tuple[ast.AST, bool]]:
    for node in ast.iter_child_nodes(tree):
        checked_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        yield node, runs
        yield from _walk(node, runs=runs and not checked_only)


@cache
def _imports(path: Path) -> tuple[Import, ...]:
    found = []
    for node, runs in _walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, frozenset(), runs) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                found.append(Import(submodule if submodule in MODULES else node.module, frozenset({alias.name}), runs))
    return tuple(found)


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


PACKAGES = sorted({_package(module) for module in MODULES} - EVERYTHING - {"aggregator"})


@pytest.mark.parametrize("package", PACKAGES)
def test_modules_import_only_what_their_package_may(package: str) -> None:
    allowed = RULES.get(package.partition(".")[0])
    assert allowed is not None, f"{package} has no rule; add one to RULES"
    forbidden = {
        (module, used.module)
        for module in MODULES
        if _package(module) == package
        for used in _imports(MODULES[module])
        if _within(used.module, OURS)
        and _package(used.module) not in {package, "aggregator", *allowed}
        and not (used.names and used.names <= PORTS)
    }
    assert forbidden == set()


def test_packages_import_each_other_in_one_direction() -> None:
    arrows: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        used = {
            _package(used.module) for used in _imports(path) if _within(used.module, OURS) and not used.names <= PORTS
        }
        arrows.setdefault(_package(module), set()).update(used - {_package(module), "aggregator"})
    arrows["registry"] = {name for name in arrows if name.startswith("sources.")}  # found by walking the package
    TopologicalSorter(arrows).prepare()


def test_few_modules_lie_at_the_top_of_the_package() -> None:
    assert len([path for path in (ROOT / "aggregator").glob("*.py") if path.name != "__init__.py"]) <= 4


@pytest.mark.parametrize("library", sorted(FENCES))
def test_a_library_stays_behind_its_fence(library: str) -> None:
    users = {
        name
        for name, path in MODULES.items()
        if any(used.runs and _within(used.module, (library,)) for used in _imports(path))
    }
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


def test_commands_about_sources_load_no_client_and_no_parser() -> None:
    heavy = ["celery", "tweepy", "requests", "feedparser", "fastapi", "aiohttp", "pydantic", "nh3", "alembic"]
    heavy += ["storage.stream.activities", "storage.moderation.rules", "aggregator.services.subscribe"]
    modules = "aggregator.container, aggregator.cli.source, aggregator.cli.status, aggregator.cli.budget"
    kinds = "from aggregator.sources import kinds; kinds()"
    script = f"import sys, {modules}; {kinds}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_the_state_of_one_process_is_shown_without_the_clients_of_brokers() -> None:
    heavy = ["redis", "amqp", "kombu", "celery", "yarl", "opentelemetry", "sentry_sdk", "alembic"]
    modules = "aggregator.container, aggregator.services.system_status, aggregator.cli.system_lines"
    kinds = "from aggregator.sources import kinds; kinds()"
    script = f"import sys, {modules}; {kinds}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
