"""Test the incidents page over HTTP: who sees it, who snoozes and mutes, and that texts are escaped."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from aggregator.domain.access.accounts import Role
from aggregator.domain.monitoring.incidents import Finding, IncidentKind
from tests.building import NOON

if TYPE_CHECKING:
    from storage.store import Store
    from tests.review.conftest import Installation

SILENT = Finding(
    IncidentKind.SILENCE, "source:news", "<b>News</b> posts every 2 d; nothing for 19 d.", {"usual_gap_hours": 48}
)


def begin(store: Store) -> int:
    with store.writing() as tx:
        return tx.monitoring.incidents.begin([SILENT], NOON)[SILENT.subject]


def test_an_incident_is_shown_snoozed_muted_and_past(house: Installation) -> None:
    number = begin(house.store)
    ana = house.visitor("ana", Role.EDITOR)
    page = ana.get("/review/incidents").text
    assert "&lt;b&gt;News&lt;/b&gt; posts every 2 d; nothing for 19 d." in page
    assert "<dt>usual_gap_hours</dt>" in page

    snoozed = ana.follow(ana.post(f"/review/incidents/{number}/snooze", {"days": "7"}))
    assert snoozed.message == "No alert for 7 days."
    assert "Snoozed until" in snoozed.text
    with house.store.reading() as tx:
        (incident,) = tx.monitoring.incidents.open()
    assert incident.snoozed_until == NOON + timedelta(days=7)

    assert "Unmute" in ana.follow(ana.post(f"/review/incidents/{number}/mute", {"to": "on"})).text
    assert "Unmute" not in ana.follow(ana.post(f"/review/incidents/{number}/mute", {"to": "off"})).text
    with house.store.writing() as tx:
        tx.monitoring.incidents.end([number], NOON)
        notes = [note["what"] for note in tx.moderation.audit.page(subject=f"incident:{number}")]
    assert notes == ["unmuted", "muted", "snoozed"]
    assert "Past incidents" in ana.get("/review/incidents").text
    assert ana.post(f"/review/incidents/{number}/snooze", {"days": "1"}).status == 409


def test_viewers_read_only(sqlite_house: Installation) -> None:
    number = begin(sqlite_house.store)
    viewer = sqlite_house.visitor("vic", Role.VIEWER)
    page = viewer.get("/review/incidents").text
    assert "nothing for 19 d." in page
    assert f"/incidents/{number}/mute" not in page
    assert viewer.post(f"/review/incidents/{number}/mute", {"to": "on"}).status == 403


def test_an_unknown_incident_is_not_found(sqlite_house: Installation) -> None:
    ana = sqlite_house.visitor("ana", Role.EDITOR)
    for name in ("77", "x", "9" * 40, "9" * 5000):
        assert ana.post(f"/review/incidents/{name}/mute", {"to": "on"}).status == 404
