"""Test batches and log lines while the broker is unavailable, without processes."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.message import Message
from kombu.transport.redis import Transport
from structlog.testing import capture_logs

from aggregator.config.broker import (
    REDIS_TRANSPORT,
    Availability,
    bound_subscription_reads,
    completed,
    on_one_line,
    surviving,
)
from aggregator.config.logging import configure_logging
from aggregator.config.settings import Settings
from aggregator.container import Container
from aggregator.domain.errors import StoreUnavailableError
from aggregator.services.dispatch import Batch, Dispatcher
from aggregator.services.polling import Polling
from tests.upstream import refused
from worker import _send_polls, create_app

if TYPE_CHECKING:
    from celery import Celery


class Given:
    """A container that notes which batches are released."""

    def __init__(self) -> None:
        self.settings = SimpleNamespace(lease=timedelta(minutes=5))
        self.back: list[Batch] = []
        self.dispatcher = self

    def give_back(self, batch: Batch) -> None:
        self.back.append(batch)


BATCHES = [Batch("feeds", [number], "token") for number in range(20)]


def _app(broker: str) -> Celery:
    return create_app(Container(Settings.from_environment({"AGGREGATOR_BROKER_URL": broker})))


def test_all_batches_are_free_again_after_one_attempt() -> None:
    container: Any = Given()
    address = refused().removeprefix("http://").split("/")[0]
    began = time.monotonic()

    with capture_logs() as lines:
        _send_polls(_app(f"redis://{address}/0"), container, BATCHES)

    assert container.back == BATCHES
    assert [(line["event"], line["batches"]) for line in lines] == [("polls not sent", 20)]
    assert time.monotonic() - began < 15  # an attempt for each batch would take minutes


@pytest.mark.parametrize("problem", [OperationalError("away"), AttributeError("closed channel")])
def test_whatever_keeps_batches_from_being_sent_frees_those_that_are_left(problem: Exception) -> None:
    container: Any = Given()
    sent: list[Any] = []

    def send_task(_: str, arguments: Any, **__: Any) -> None:
        if len(sent) == 3:
            raise problem
        sent.append(arguments)

    app: Any = SimpleNamespace(send_task=send_task)
    try:
        _send_polls(app, container, BATCHES)
    except AttributeError:
        assert isinstance(problem, AttributeError)

    assert len(sent) == 3
    assert container.back == BATCHES[3:]


def test_an_absent_broker_is_logged_once_and_then_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    broker = Availability()

    with capture_logs() as lines:
        for _ in range(200):  # every five seconds
            broker.away("refused")
            now += 5
        broker.back()
        broker.back()
        broker.away("refused")

    events = [(line["event"], line["seconds"]) for line in lines]
    away = "broker is away"
    assert events == [(away, 0), (away, 300), (away, 600), (away, 900), ("broker is back", 1000), (away, 0)]


def test_a_message_that_cannot_be_acknowledged_is_logged_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    def ack(**_: object) -> None:
        raise TimeoutError("no reply")

    configure_logging("info", "text")
    logger = logging.getLogger("celery.worker.request")
    logger.addFilter(on_one_line)
    message = Message(delivery_tag="7")
    message.ack = ack  # type: ignore[assignment, method-assign]
    message.ack_log_error(logger, (TimeoutError,))

    [line] = capsys.readouterr().err.splitlines()
    assert "warning" in line
    assert "Couldn't ack '7', reason:TimeoutError('no reply')" in line


def test_the_connection_is_bounded_beyond_what_an_idle_redis_takes() -> None:
    options = _app("redis://localhost/0").conf.broker_transport_options

    assert options.items() >= REDIS_TRANSPORT.items()
    assert REDIS_TRANSPORT["socket_timeout"] > Transport.brpop_timeout
    assert Transport.brpop_timeout + 2 * REDIS_TRANSPORT["health_check_interval"] <= 10


def test_leases_are_released_once_the_database_answers_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any worker process must notice, since the one whose poll failed may get no more work."""
    app = _app("memory://")
    answers: list[Exception | None] = [StoreUnavailableError("away"), StoreUnavailableError("away"), None]
    released: list[tuple[Any, ...]] = []
    sent: list[tuple[Any, ...]] = []

    def unavailable(*_: Any) -> None:
        raise StoreUnavailableError("away")

    def release(_: Dispatcher, ids: Any, token: str, *, ended: bool) -> None:
        if problem := answers.pop(0):
            raise problem
        released.append((ids, token, ended))

    monkeypatch.setattr(Polling, "poll", unavailable)
    monkeypatch.setattr(Dispatcher, "release", release)
    monkeypatch.setattr(app, "send_task", lambda name, arguments, **_: sent.append((name, *arguments)))

    with pytest.raises(StoreUnavailableError):
        app.tasks["poll"]([1, 2], "token")
    app.tasks[sent[0][0]].apply(args=sent[0][1:])

    assert sent == [("release", [1, 2], "token", True)]
    assert released == [([1, 2], "token", True)]
    assert answers == []


class Unreadable:
    """A message that was rejected or not."""

    def __init__(self) -> None:
        self.rejected = False

    def reject_log_error(self, *_: object) -> None:
        self.rejected = True


def test_a_message_that_cant_be_received_is_dropped_and_a_lost_connection_is_not_hidden() -> None:
    def receive(problem: Exception) -> Any:
        def fail(_: Any) -> None:
            raise problem

        return surviving(fail, SimpleNamespace(connection_errors=(ConnectionError,), channel_errors=()))

    message = Unreadable()
    with capture_logs() as logged:
        receive(TypeError("a bytes-like object is required"))(message)
    assert message.rejected
    assert [line["event"] for line in logged] == ["message dropped"]
    with pytest.raises(ConnectionError):
        receive(ConnectionError("gone"))(Unreadable())


def test_a_connection_that_cant_be_closed_does_not_end_the_worker() -> None:
    steps = ["close", "cancel"]
    done: list[str] = []

    def clean_up(_: Exception) -> None:
        while steps:
            done.append(steps.pop(0))
            if done[-1] == "close":
                raise AttributeError("'NoneType' object has no attribute 'hostname'")

    completed(clean_up, ConnectionError("reset"))
    assert done == ["close", "cancel"]


def test_a_subscription_without_a_message_does_not_hang_the_worker(redis_url: str) -> None:
    bound_subscription_reads()
    with Connection(redis_url, transport_options={**REDIS_TRANSPORT, "global_keyprefix": "test:"}) as connection:
        channel: Any = connection.default_channel
        channel.subclient.psubscribe("anything")

        def read() -> None:
            for _ in range(3):  # the reply to the subscription, and what kombu only believes to have arrived
                channel._receive()

        reading = threading.Thread(target=read, daemon=True)
        reading.start()
        reading.join(20)
        assert not reading.is_alive()
