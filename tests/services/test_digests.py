"""Test daily summaries: due once a day, sent once by several workers over a real mail server, and tried again."""

from __future__ import annotations

import email
import email.policy
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from aggregator.domain.access.accounts import Role
from aggregator.domain.moderation.decisions import DecisionAction
from aggregator.domain.monitoring.digest import due_since
from aggregator.domain.source import Policy
from aggregator.services import digests
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.services.test_alert_rounds import Clock, Hook, Post, clock, container, hook, post

if TYPE_CHECKING:
    from aggregator.container import Container
    from storage.store import Store

__all__ = ["Hook", "clock", "container", "hook", "post"]

TOMORROW = NOON + timedelta(days=1)


def want(store: Store, *names: str, since: datetime | None = NOON) -> None:
    for name in names:
        with store.writing() as tx:
            tx.access.accounts.add(name, Role.REVIEWER, "hash", NOON)
            account = tx.access.accounts.get(name)
            assert account is not None
            address = f"{name}@portal.example"
            tx.access.settings.change(account.id, email=address, email_confirmed=NOON, digest=True, digest_sent=since)


def some_work(store: Store) -> None:
    source = add_source(store, policy=Policy.HOLD)
    ingest_now(store, source, [an_activity(f"n{number}", title=f"Budget {number}") for number in range(13)])
    with store.writing() as tx:
        tx.moderation.decisions.decide(
            {1: None, 2: None}, DecisionAction.HIDE, who="ben", now=NOON + timedelta(hours=1), reason="spam"
        )


@pytest.mark.parametrize(
    ("now", "boundary"),
    [
        ("2026-03-02T11:59", "2026-03-01T12:00"),
        ("2026-03-02T12:00", "2026-03-02T12:00"),
        ("2026-03-08T12:30", "2026-03-08T11:00"),  # summer time began
        ("2026-03-08T10:59", "2026-03-07T12:00"),
    ],
)
def test_summaries_are_due_at_seven_local_time(now: str, boundary: str) -> None:
    found = due_since(datetime.fromisoformat(now).replace(tzinfo=UTC), ZoneInfo("America/New_York"))
    assert found.astimezone(UTC).isoformat().startswith(boundary)


def test_a_summary_has_what_waits_and_what_was_decided(
    store: Store, container: Container, post: Post, clock: Clock
) -> None:
    some_work(store)
    want(store, "ana")
    clock.now = TOMORROW
    container.digests.run()

    (text,) = post.mails
    mail = email.message_from_string(text, policy=email.policy.default)
    content = mail.get_content()
    assert mail["To"] == "ana@portal.example"
    assert mail["Subject"] == "Review desk: 11 items wait"
    assert "11 items wait, the oldest since" in content
    assert content.count("- Budget") == 10
    assert "- Budget 0\n" not in content  # hidden
    assert "- ben: Hid 2 items." in content
    assert "https://stream.example/review/account" in content


def test_a_summary_is_sent_once_a_day_by_several_workers(
    store: Store, container: Container, post: Post, clock: Clock
) -> None:
    some_work(store)
    want(store, "ana", "ben", "cleo")
    clock.now = TOMORROW
    workers = [threading.Thread(target=container.digests.run) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert len(post.mails) == 3
    clock.now = TOMORROW + timedelta(hours=1)
    container.digests.run()
    assert len(post.mails) == 3
    clock.now = TOMORROW + timedelta(days=1)
    container.digests.run()
    assert len(post.mails) == 6


def test_a_summary_that_could_not_be_sent_is_tried_again(
    store: Store, container: Container, post: Post, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_work(store)
    want(store, "ana")
    clock.now = TOMORROW

    def refuse(*_: object) -> None:
        raise ConnectionRefusedError("no")

    with monkeypatch.context() as patch:
        patch.setattr(digests, "send_mail", refuse)
        container.digests.run()
    assert post.mails == []
    container.digests.run()
    assert len(post.mails) == 1


def test_nothing_to_report_disabled_users_and_no_wish_send_nothing(
    store: Store, container: Container, post: Post, clock: Clock
) -> None:
    want(store, "ana", "gone", "quiet")
    with store.writing() as tx:
        gone, quiet = tx.access.accounts.get("gone"), tx.access.accounts.get("quiet")
        assert gone is not None
        assert quiet is not None
        tx.access.accounts.change(gone.id, disabled=NOON)
        tx.access.settings.change(quiet.id, digest=False)
    clock.now = TOMORROW
    container.digests.run()
    assert post.mails == []  # nothing waits, nothing was decided
    some_work(store)
    clock.now = TOMORROW + timedelta(days=1)
    container.digests.run()
    assert len(post.mails) == 1


def test_nothing_is_sent_to_an_address_that_is_not_confirmed(
    store: Store, container: Container, post: Post, clock: Clock
) -> None:
    some_work(store)
    want(store, "ana", "ben")
    with store.writing() as tx:
        account = tx.access.accounts.get("ben")
        assert account is not None
        tx.access.settings.change(account.id, email_confirmed=None)
    clock.now = TOMORROW
    container.digests.run()
    (text,) = post.mails
    assert "ana@portal.example" in text
