"""Test the stack on a RabbitMQ that hangs, refuses, is half-dead or crashes, and what is read from it."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import amqp
import pytest

from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.secrets import Secret
from aggregator.services.broker_probe import queue_lengths, read_rabbitmq_version
from aggregator.services.doctor.broker_checks import check_broker
from aggregator.services.queues import QUEUES
from tests.faults.tcp_proxy import TcpProxy
from tests.processes import Processes, eventually
from tests.servers import free_port
from tests.services.doctor.subjects import codes, subject
from tests.upstream import Publisher
from worker import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.rabbitmq import RabbitNode

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

OUTAGE = 25.0  # seconds of each fault: longer than two missed signs of life
RESUMED = 60.0  # seconds in which polling must go on
FIRST = "/good/1.xml"


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with Publisher(feeds=2, entries=2) as publisher:
        yield publisher


@pytest.fixture
def proxy(rabbit_node: RabbitNode) -> Iterator[TcpProxy]:
    with TcpProxy.before("127.0.0.1", rabbit_node.port) as proxy:
        yield proxy


@pytest.fixture
def stack(tmp_path: Path, postgresql_url: str, proxy: TcpProxy, publisher: Publisher) -> Iterator[Processes]:
    environ = {
        "AGGREGATOR_DATABASE_URL": postgresql_url,
        "AGGREGATOR_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{proxy.port}//",
        "AGGREGATOR_PRIVATE_NETWORKS": "127.0.0.1",
        "AGGREGATOR_HOST_SPACING": "0",
    }
    with Processes(tmp_path, environ) as stack:
        stack.aggregator("migrate")
        stack.aggregator("source", "add", "--every", "1", publisher.url(FIRST))
        stack.worker()
        stack.scheduler()
        _polling(publisher)
        yield stack


def _polling(publisher: Publisher, patience: float = 60.0) -> float:
    began, before = time.monotonic(), publisher.hits[FIRST]
    eventually("polling goes on", lambda: publisher.hits[FIRST] >= before + 2, patience)
    return time.monotonic() - began


@pytest.mark.parametrize("fault", ["hung", "half-open", "refused", "crashed"])
def test_polling_goes_on_after_every_trouble_of_rabbitmq(
    stack: Processes, proxy: TcpProxy, publisher: Publisher, rabbit_node: RabbitNode, fault: str
) -> None:
    if fault == "crashed":
        rabbit_node.stop(signal.SIGKILL)
        rabbit_node.start()
    elif fault == "half-open":
        proxy.forget()
    else:
        (proxy.hang if fault == "hung" else proxy.refuse)()
        time.sleep(OUTAGE)
        assert "Traceback" not in stack.aggregator("status", code=None).stderr
    proxy.restore()
    print(f"{fault}: polling goes on after {_polling(publisher, RESUMED):.1f} s")
    for name in ("worker", "scheduler"):
        assert "Traceback" not in stack.log(name), name
        assert "guest:guest" not in stack.log(name), name
    for name in ("worker", "scheduler"):
        assert stack.terminate(name) == 0


def test_two_installations_on_one_host_do_not_hear_each_other(stack: Processes, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    sqlite = {**stack.environ, "AGGREGATOR_DATABASE_URL": f"sqlite:///{folder}/other.sqlite3"}
    with Processes(folder, sqlite) as other:
        other.aggregator("migrate")
        other.scheduler()
        eventually("messages wait", lambda: "Broker: control " in other.aggregator("status", code=None).stdout)
        assert "Workers: none responds" in other.aggregator("status", code=None).stdout
        lines = stack.aggregator("status", code=None).stdout.splitlines()
        assert [line for line in lines if line.startswith("Workers:")] == ["Workers: worker@test"]
        assert [line for line in lines if line.startswith("Broker:")] == ["Broker: no messages waiting"]
        found = stack.aggregator("doctor", "--json", code=None).stdout
        assert "queue-without-worker" not in found
        assert "queue-without-worker" in other.aggregator("doctor", "--json", code=None).stdout


def test_messages_are_counted_and_kept_until_they_are_acknowledged(rabbit_node: RabbitNode, tmp_path: Path) -> None:
    url = Secret(rabbit_node.url)
    environ = {"AGGREGATOR_BROKER_URL": rabbit_node.url, "AGGREGATOR_DATA_DIR": str(tmp_path)}
    assert queue_lengths(url, "counted", QUEUES).queues == {"control": 0, "feeds": 0, "api": 0}
    app = create_app(Container(Settings.from_environment(environ)), "counted")
    for _ in range(3):
        app.send_task("poll", ([1], "token"), queue="feeds")
    app.send_task("dispatch", queue="control")
    eventually(
        "all are there",
        lambda: queue_lengths(url, "counted", QUEUES).queues == {"control": 1, "feeds": 3, "api": 0},
    )
    assert queue_lengths(url, "counted", QUEUES).unacknowledged is None
    rabbit_node.stop(signal.SIGKILL)
    rabbit_node.start()
    assert queue_lengths(url, "counted", QUEUES).queues["feeds"] == 3  # written to disk before `send_task` returned
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        assert channel.basic_get("aggregator:counted:feeds") is not None
        eventually("it is out", lambda: queue_lengths(url, "counted", QUEUES).queues["feeds"] == 2)
    eventually("it is back", lambda: queue_lengths(url, "counted", QUEUES).queues["feeds"] == 3)
    with amqp.Connection(f"127.0.0.1:{rabbit_node.port}") as plain, pytest.raises(amqp.PreconditionFailed):
        plain.channel().queue_declare("aggregator:counted:feeds", durable=True, auto_delete=False)  # a classic queue
    app.close()


def test_a_sound_rabbitmq_has_no_findings_and_an_absent_one_hides_its_password(
    rabbit_node: RabbitNode, tmp_path: Path
) -> None:
    examined = subject({"DATA_DIR": str(tmp_path), "BROKER_URL": rabbit_node.url})
    assert codes(check_broker, examined) == set()
    assert read_rabbitmq_version(Secret(rabbit_node.url))
    url = f"amqp://me:secretword@127.0.0.1:{free_port()}//"
    [found] = check_broker(subject({"DATA_DIR": str(tmp_path), "BROKER_URL": url}))
    assert found.code == "broker-unreachable"
    assert "RabbitMQ" in found.remedy
    assert "secretword" not in found.problem
    wrong = Secret(f"amqp://me:secretword@127.0.0.1:{rabbit_node.port}//")
    problem = queue_lengths(wrong, "", QUEUES).problem
    assert problem
    assert "secretword" not in problem
