"""Test which addresses of brokers are accepted, and what becomes of them."""

from __future__ import annotations

import ssl

import pytest

from aggregator.config.broker import AMQP_TRANSPORT, REDIS_TRANSPORT, celery_settings, queue_arguments, queue_prefix
from aggregator.config.broker_address import BrokerAddress, BrokerKind

SENTINELS = "sentinel://me:w%40rd@one:26380,two/portal/2?sentinel_password=other"


@pytest.mark.parametrize(
    ("text", "kind", "kombu"),
    [
        ("memory://", BrokerKind.MEMORY, "memory://localhost/"),
        ("redis://r:6379/0", BrokerKind.REDIS, "redis://r:6379/0"),
        ("rediss://:word@r/1", BrokerKind.REDIS, "rediss://:word@r/1"),
        ("valkey://r:6379/0", BrokerKind.REDIS, "redis://r:6379/0"),
        ("valkeys://r:6379/0", BrokerKind.REDIS, "rediss://r:6379/0"),
        ("amqp://me:word@r:5672//", BrokerKind.AMQP, "amqp://me:word@r:5672//"),
        ("amqps://r/portal", BrokerKind.AMQP, "amqps://r/portal"),
        ("sentinel://one/portal", BrokerKind.SENTINEL, "sentinel://one:26379/0"),
        (SENTINELS, BrokerKind.SENTINEL, "sentinel://me:w%40rd@one:26380/2;sentinel://me:w%40rd@two:26379/2"),
    ],
    ids=["memory", "redis", "rediss", "valkey", "valkeys", "amqp", "amqps", "one-sentinel", "sentinels"],
)
def test_each_form_is_what_celery_reads(text: str, kind: BrokerKind, kombu: str) -> None:
    address = BrokerAddress.parse(text)
    assert (address.kind, address.kombu_url) == (kind, kombu)


@pytest.mark.parametrize(
    "text",
    ["rabbit", "http://r", "redis:r", "redis://r:port/0", "redis://r/queue", "sentinel://one", "sentinel:///portal",
     "sentinel://one/portal/x", "sentinel://one/portal?master=x", "sqs://r", "redis+socket:///run/redis"],
    ids=["word", "http", "no-slashes", "port", "name", "no-service", "no-host", "number", "parameter", "sqs", "socket"],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # its text is not shown
        BrokerAddress.parse(text)


def test_the_parts_of_sentinels_are_read() -> None:
    address = BrokerAddress.parse(SENTINELS)
    assert (address.hosts, address.service, address.number) == ((("one", 26380), ("two", 26379)), "portal", 2)
    assert (address.username, address.password, address.sentinel_options) == ("me", "w@rd", {"password": "other"})
    settings = celery_settings(address, "here")["broker_transport_options"]
    assert (settings["master_name"], settings["global_keyprefix"]) == ("portal", "aggregator:here:")
    assert settings["sentinel_kwargs"]["password"] == "other"


def test_no_printed_form_has_the_password() -> None:
    assert "word" not in repr(BrokerAddress.parse("amqp://me:word@r//"))


@pytest.mark.parametrize("text", ["rediss://r/0", "valkeys://r/0", "amqps://r//"], ids=["redis", "valkey", "amqp"])
def test_certificates_of_encrypted_brokers_are_checked(text: str) -> None:
    options = celery_settings(BrokerAddress.parse(text), "")["broker_use_ssl"]
    assert ssl.CERT_REQUIRED in options.values()


def test_rabbitmq_confirms_and_has_quorum_queues_of_its_own_installation() -> None:
    broker = BrokerAddress.parse("amqp://r//")
    settings = celery_settings(broker, "here")
    assert settings["broker_transport_options"] == AMQP_TRANSPORT
    assert settings["broker_transport_options"]["confirm_publish"]
    assert settings["control_exchange"] == "aggregator:here:control"
    assert (queue_arguments(broker) or {})["x-queue-type"] == "quorum"
    assert queue_prefix(broker, "here") == "aggregator:here:"


def test_redis_and_valkey_have_the_same_settings() -> None:
    redis, valkey = (celery_settings(BrokerAddress.parse(f"{name}://r/0"), "here") for name in ("redis", "valkey"))
    assert redis == valkey
    assert redis["broker_transport_options"].items() >= REDIS_TRANSPORT.items()
    assert queue_prefix(BrokerAddress.parse("redis://r/0"), "here") == ""
