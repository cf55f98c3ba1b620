"""Test that secrets are replaced while worker, scheduler and reader run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.demo import SAMPLE_TOKEN
from tests.processes import Processes, eventually
from tests.review.conftest import Visitor
from tests.x_api.upstream import SimulatedUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(300)]

FORMER_KEY, PRESENT_KEY = "former-key-" * 4, "present-key-" * 4
NEW_TOKEN = "A" * 40


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, redis_url: str) -> Iterator[Processes]:
    _put(tmp_path / "key", FORMER_KEY)
    _put(tmp_path / "token", SAMPLE_TOKEN)
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": redis_url,
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
        "AGGREGATOR_SECRET_KEY_FILE": str(tmp_path / "key"),
        "AGGREGATOR_X_BEARER_TOKEN_FILE": str(tmp_path / "token"),
        "AGGREGATOR_X_PUBLIC_TEXT": "yes",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        yield stack


def _put(path: Path, content: str) -> None:
    new = path.with_suffix(".new")
    new.write_text(content)
    new.replace(path)


@pytest.mark.slow
def test_secrets_are_replaced_without_a_restart(
    stack: Processes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SimulatedUpstream() as upstream:
        stack.environ = {**stack.environ, "AGGREGATOR_X_BASE_URL": upstream.url}
        password = stack.aggregator("user", "add", "ana", "--role", "reviewer", "--generate").stdout.strip()
        stack.worker()
        stack.scheduler()
        stack.reader()
        stack.aggregator("source", "add", "--every", "2", "@opengovpart")
        eventually("posts are there", stack.items)
        ana = Visitor(f"http://127.0.0.1:{stack.port}")
        assert ana.sign_in("ana", password).status == 303
        opened = ana.csrf()

        _put(tmp_path / "key", f"{PRESENT_KEY}\n{FORMER_KEY}\n")
        _put(tmp_path / "token", NEW_TOKEN)
        monkeypatch.setattr(upstream.x, "is_allowed", lambda given: given == f"Bearer {NEW_TOKEN}")
        before = {item["id"] for item in stack.items()}
        for _ in range(8):
            upstream.world.publish()
        eventually("new posts are read with the new token", lambda: {item["id"] for item in stack.items()} - before)
        eventually("forms have tokens of the new key", lambda: ana.csrf() not in {opened, ""})
        assert ana.get("/review").status == 200
        assert "secret-key-former" in stack.aggregator("doctor", "--json", code=None).stdout

        _put(tmp_path / "key", PRESENT_KEY)
        eventually("former forms are refused", lambda: ana.post("/review/account", csrf=opened).status == 403)
        assert ana.post("/review/sign-out").status == 303
    for name in ("worker", "scheduler", "reader"):
        assert not {NEW_TOKEN, SAMPLE_TOKEN, PRESENT_KEY, FORMER_KEY} & set(stack.log(name).split())
