"""Start worker, scheduler, reader and the command line as processes for the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.request import urlopen

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

ROOT = Path(__file__).parents[1]
PATIENCE = 60.0  # seconds: the machine may be busy
_CELERY = (sys.executable, "-m", "celery")
_AGGREGATOR = (sys.executable, "-m", "aggregator")


def eventually(what: str, true: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Wait until a condition is true and return its value; exceptions meanwhile count as false."""
    deadline = time.monotonic() + patience
    problem: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if value := true():
                return value
            problem = None
        except Exception as raised:  # noqa: BLE001  # any error goes into the report
            problem = raised
        time.sleep(0.1)
    raise AssertionError(f"Not within {patience:g} s: {what}") from problem


@dataclass
class Processes:
    """Processes that share an environment and end with the test; their output is kept for a failure's report."""

    folder: Path
    environ: Mapping[str, str]
    port: int = field(default_factory=free_port)
    working_directory: Path = ROOT
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        for name in list(self._running):
            self.kill(name)
        if kind is not None:
            for path in sorted(self.folder.glob("*.log")):
                print(f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}")

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of every process: without our own variables, and with unbuffered output."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AGGREGATOR_")}
        mine = {"AGGREGATOR_DATA_DIR": str(self.folder), "AGGREGATOR_LISTEN": f"127.0.0.1:{self.port}"}
        return {**kept, "PYTHONUNBUFFERED": "1", **mine, **self.environ}

    def start(self, name: str, *command: str, **environ: str) -> subprocess.Popen[bytes]:
        """Start a process in its own group."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.working_directory,
                env={**self.environment, **environ},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._running[name] = process
        return process

    def worker(self, name: str = "worker", *options: str, queues: str = "feeds,api,control") -> subprocess.Popen[bytes]:
        """Start a worker, for every queue unless some are named."""
        return self.start(
            name, *_CELERY, "-A", "worker", "worker", "-Q", queues, "-c", "2", "-n", f"{name}@test", *options
        )

    def scheduler(self, name: str = "scheduler") -> subprocess.Popen[bytes]:
        """Start a beat."""
        return self.start(name, *_CELERY, "-A", "scheduler", "beat")

    def reader(self, name: str = "reader", **environ: str) -> subprocess.Popen[bytes]:
        """Start a reader and wait for it, unless its own environment gives it another address."""
        process = self.start(name, *_AGGREGATOR, "serve", **environ)
        if "AGGREGATOR_LISTEN" not in environ:
            eventually("the reader answers", lambda: self.get("/healthz"))
        return process

    def pid(self, name: str) -> int | None:
        """Return the id of a process; None if it has ended."""
        process = self._running.get(name)
        return process.pid if process is not None and process.poll() is None else None

    def kill(self, name: str) -> None:
        """Kill a process and all its children at once, as `kill -9` does."""
        process = self._running.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def terminate(self, name: str, how: signal.Signals = signal.SIGTERM, patience: float = PATIENCE) -> int:
        """Terminate a process; return its exit code."""
        process = self._running[name]
        process.send_signal(how)
        code = process.wait(patience)
        del self._running[name]
        return code

    def log(self, name: str) -> str:
        """Return the output of a process."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def aggregator(self, *words: str, code: int | None = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command and check its exit code."""
        done = subprocess.run(
            [*_AGGREGATOR, *words],
            check=False,
            cwd=ROOT,
            env={**self.environment, **environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
        assert code is None or done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def get(self, path: str) -> Any:
        """Return the reader's response as JSON."""
        with urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)

    def items(self, query: str = "limit=100&collapse=original") -> list[dict[str, Any]]:
        """Return the merged stream, all pages of it."""
        items: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(f"/api/v1/activities?{query}{cursor}")
            items += page["items"]
            if page["next"] is None:
                return items
            cursor = f"&cursor={page['next']}"

    def sources(self) -> dict[str, dict[str, Any]]:
        """Return every source by slug."""
        return {source["slug"]: source for source in self.get("/api/v1/sources")["items"]}
