"""Test that each setting that is valid but wrong is found, and that sound ones are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aggregator.services.doctor.setting_checks import (
    check_contact,
    check_encryption,
    check_load_and_logs,
    check_networks,
    check_processes,
    check_proxies,
)
from tests.services.doctor.subjects import codes, subject

if TYPE_CHECKING:
    from pathlib import Path

ALL = (check_contact, check_encryption, check_load_and_logs, check_networks, check_processes, check_proxies)
SOUND = {
    "PUBLIC_URL": "https://stream.portal.example",
    "CONTACT_URL": "https://portal.example/contact",
    "TRUSTED_PROXIES": "127.0.0.1",
    "SECRET_KEY": "k" * 43,
    "DATABASE_URL": "postgresql://user:word@db.portal.example/a?sslmode=verify-full",
    "BROKER_URL": "redis://:word@redis:6379/0",
    "WEBHOOK_URL": "https://portal.example/hook",
    "WEBHOOK_SECRET": "w" * 20,
    "MAIL_SERVER": "smtps://user:word@mail.portal.example",
    "MAIL_FROM": "a@portal.example",
    "MAIL_TO": "b@portal.example",
}
WRONG = {
    "contact-missing": {"PUBLIC_URL": "", "CONTACT_URL": ""},
    "public-url-missing": {"PUBLIC_URL": ""},
    "public-url-insecure": {"PUBLIC_URL": "http://stream.portal.example"},
    "proxies-everyone": {"TRUSTED_PROXIES": "0.0.0.0/0"},
    "proxies-missing": {"TRUSTED_PROXIES": ""},
    "listen-everywhere": {"TRUSTED_PROXIES": "", "LISTEN": "0.0.0.0:8080"},
    "private-networks-wide": {"PRIVATE_NETWORKS": "169.254.0.0/16"},
    "metrics-everyone": {"METRICS_NETWORKS": "::/0"},
    "broker-embedded": {"BROKER_URL": ""},
    "database-embedded": {"DATABASE_URL": ""},
    "secret-key-generated": {"SECRET_KEY": ""},
    "lease-above-visibility": {"LEASE": "900"},
    "host-spacing-off": {"HOST_SPACING": "0"},
    "rate-limit-off": {"RATE_LIMIT": "off"},
    "log-debug": {"LOG_LEVEL": "debug"},
    "broker-without-password": {"BROKER_URL": "redis://redis.portal.example:6379/0"},
    "database-unencrypted": {"DATABASE_URL": "postgresql://user:word@db.portal.example/a"},
    "alerts-missing": dict.fromkeys(("WEBHOOK_URL", "WEBHOOK_SECRET", "MAIL_SERVER", "MAIL_FROM", "MAIL_TO"), ""),
    "webhook-unencrypted": {"WEBHOOK_URL": "http://hooks.portal.example/"},
    "mail-unencrypted": {"MAIL_SERVER": "smtp://user:word@mail.portal.example"},
}


def _found(environ: dict[str, str], tmp_path: Path) -> set[str]:
    examined = subject({"DATA_DIR": str(tmp_path), **SOUND, **environ})
    return {code for check in ALL for code in codes(check, examined)}


def test_sound_settings_have_no_findings(tmp_path: Path) -> None:
    assert _found({}, tmp_path) == set()


@pytest.mark.parametrize("code", WRONG)
def test_wrong_settings_are_found(code: str, tmp_path: Path) -> None:
    assert code in _found(WRONG[code], tmp_path)


def test_a_proxy_of_the_environment_is_not_used(tmp_path: Path) -> None:
    examined = subject({"DATA_DIR": str(tmp_path), **SOUND}, environ={"HTTPS_PROXY": "http://proxy:3128"})
    assert codes(check_proxies, examined) == {"environment-proxy-ignored"}


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "postgres", "localhost"])
def test_private_servers_need_no_encryption(host: str, tmp_path: Path) -> None:
    assert _found({"DATABASE_URL": f"postgresql://user:word@{host}/a"}, tmp_path) == set()
