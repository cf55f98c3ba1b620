"""The desk in a real Chromium: by keys alone, by mouse alone, without script, on a phone, light and dark."""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import Review
from aggregator.domain.moderation.conditions import Condition, Field
from aggregator.domain.moderation.rules import Action, Rule
from aggregator.domain.source import Policy
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader import specimens
from tests.reader.conftest import browser
from tests.reader.test_front_page import CONTRAST
from tests.review.conftest import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Route

    from storage.store import Store
    from tests.review.conftest import Installation

__all__ = ["browser"]

pytestmark = pytest.mark.browser
PAGES = [
    "", "?pile=all", "/items/1", "/items/9", "/rules", "/rules/1", "/rules/new", "/sources", "/sources/add",
    "/sources/news", "/freezes", "/history", "/people", "/add", "/account", "/account?from=outside",
]  # fmt: skip


# What sticks out of the page.
WIDE = """(width) => document.scrollingElement.scrollWidth <= width ? [] :
  Array.from(document.querySelectorAll("body *"))
    .filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest(".menu, .piles, .scroll"))
    .map((one) => one.outerHTML.slice(0, 90)).slice(0, 6)"""

# Whether what has the focus goes by a name.
NAMED = """(name) => {
  const one = document.activeElement;
  const label = one.labels?.[0]?.querySelector("span") || one;
  return label.textContent.trim() === name;
}"""

# How long it takes from a key to the answer on the page, in milliseconds.
TAKES = """async (id) => {
  const start = performance.now();
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key: "a", bubbles: true }));
  const done = () => document.querySelector(`#seen-${id}.decided:not(.pending)`);
  while (!done()) await new Promise((next) => setTimeout(next, 2));
  return performance.now() - start;
}"""


@contextmanager
def signed_in(browser: Browser, house: Installation, role: Role = Role.EDITOR, **options: Any) -> Iterator[Page]:
    """Sign somebody in by the form itself."""
    with house.store.writing() as tx:
        tx.access.accounts.add(role.value, role, passwords.hashed(PASSWORD), house.clock())
    context = browser.new_context(**options)
    context.set_default_timeout(30_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.goto(f"{house.address}/review")
    page.get_by_label("Name").fill(role.value)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.locator(".who-am-i").wait_for()
    try:
        yield page
    finally:
        context.close()
    assert complaints == []


def waiting(store: Store, count: int) -> None:
    source = add_source(store, policy=Policy.HOLD)
    ingest_now(store, source, [an_activity(f"n{n:03}") for n in range(count)])


def states(store: Store) -> list[str]:
    with store.reading() as tx:
        listed = [tx.stream.activities.in_review(review, 1000) for review in Review]
    return [item.review.value for item in sorted((one for many in listed for one in many), key=lambda item: item.id)]


def eventually(store: Store, holds: Callable[[list[str]], bool]) -> None:
    end = time.monotonic() + 30
    while not holds(states(store)):
        assert time.monotonic() < end, states(store)
        time.sleep(0.03)


def test_by_keys_alone(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 60)
    with signed_in(browser, sqlite_house, viewport={"width": 1280, "height": 900}) as page:
        press = page.keyboard.press
        press("a")
        press("3")
        eventually(store, lambda now: now[:2] == ["published", "hidden"])
        press("z")
        eventually(store, lambda now: now[:2] == ["published", "waiting"])
        page.get_by_text("Undid 1 item.", exact=True).wait_for()
        press("p")
        eventually(store, lambda now: now.count("published") == 2)
        press("Shift+X")
        page.get_by_text("ticked:").wait_for()
        press("h")
        page.get_by_text("Hid 48 items.", exact=True).wait_for()
        eventually(store, lambda now: now.count("hidden") == 48)
        page.get_by_text("Nothing waits").or_(page.locator(".seen")).first.wait_for()

    with store.reading() as tx:
        notes = tx.moderation.audit.page(limit=1000, what="hid")
    assert len({note["batch"] for note in notes if note["detail"]["reason"] == "not for this stream"}) == 1


SELECTED = "document.activeElement.closest('[data-item]')?.id"


@pytest.mark.parametrize("pace", ["slow", "fast"])
def test_undo_selects_what_it_restores(browser: Browser, sqlite_house: Installation, pace: str) -> None:
    store = sqlite_house.store
    waiting(store, 5)
    with signed_in(browser, sqlite_house, viewport={"width": 1280, "height": 900}) as page:
        for number, key in enumerate("ahz"):
            page.keyboard.press(key)
            if pace == "slow":
                eventually(store, lambda now, number=number: now[:2] == UNDONE[number])  # type: ignore[misc]
        if pace == "slow":
            page.get_by_text("Undid 1 item.", exact=True).wait_for()
            assert page.evaluate(SELECTED) == "seen-2"
        page.keyboard.press("a")
        eventually(store, lambda now: now == ["published", "published", "waiting", "waiting", "waiting"])
        page.get_by_text("Approved 1 item.", exact=True).wait_for()
        assert page.evaluate(SELECTED) == "seen-3"


UNDONE = (["published", "waiting"], ["published", "hidden"], ["published", "waiting"])


def test_undo_takes_back_a_decision_that_is_still_being_sent(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 3)
    with signed_in(browser, sqlite_house, viewport={"width": 1280, "height": 900}) as page:
        page.keyboard.press("a")
        page.get_by_text("Approved 1 item.", exact=True).wait_for()
        page.evaluate(
            "document.querySelector('#seen-2 button[data-do=approve]').click();"
            "document.querySelector('.latest button').click();"
        )
        page.get_by_text("Undid 1 item.", exact=True).wait_for()
    assert states(store) == ["published", "waiting", "waiting"]


def test_undo_selects_the_first_of_several(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 6)
    with signed_in(browser, sqlite_house, viewport={"width": 1280, "height": 900}) as page:
        page.keyboard.press("j")
        for key in ("x", "j", "x", "h"):
            page.keyboard.press(key)
        eventually(store, lambda now: now.count("hidden") == 2)
        page.keyboard.press("j")
        page.keyboard.press("z")
        page.get_by_text("Undid 2 items.", exact=True).wait_for()
        assert page.evaluate(SELECTED) == "seen-2"


def test_what_is_restored_on_another_page_is_shown_and_selected(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 2)
    with signed_in(browser, sqlite_house, viewport={"width": 1280, "height": 900}) as page:
        page.keyboard.press("a")
        page.keyboard.press("h")
        page.get_by_text("Nothing waits").wait_for()
        page.get_by_role("button", name="Undo").click()
        page.locator("#seen-2:focus").wait_for()
        page.keyboard.press("a")
        eventually(store, lambda now: now == ["published", "published"])


@pytest.mark.slow
def test_a_recorded_day_takes_about_a_key_an_item(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 300)
    keys = 0
    with signed_in(browser, sqlite_house, viewport={"width": 1280, "height": 900}) as page:
        for number in range(300):
            if number % 50 == 0 and number:
                # The next page comes by itself once everything on this one is decided.
                page.locator("[data-item]:not(.decided):focus").wait_for()
            page.keyboard.press("1" if number % 3 == 0 else "a")
            keys += 1
        eventually(store, lambda now: "waiting" not in now)
        page.get_by_text("Nothing waits").wait_for()

    assert states(store).count("hidden") == 100
    assert keys / 300 <= 1.2


def test_by_mouse_alone_on_a_phone(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 5)
    with signed_in(browser, sqlite_house, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        page.locator("#seen-1").get_by_role("button", name="Approve").tap()
        eventually(store, lambda now: now[0] == "published")
        page.locator("#seen-2 summary").get_by_text("Hide, because").tap()
        page.locator("#seen-2").get_by_role("button", name="offensive").tap()
        eventually(store, lambda now: now[1] == "hidden")
        page.get_by_role("button", name="Undo").tap()
        eventually(store, lambda now: now[1] == "waiting")
        for number in (3, 4):
            page.locator(f"#seen-{number} .tick").tap()
        page.locator(".bulk").get_by_role("button", name="Hide").tap()
        eventually(store, lambda now: now[2:4] == ["hidden", "hidden"])
        small = page.evaluate(
            "Array.from(document.querySelectorAll('.seen:not(.decided) .actions button, .bulk button, .hands button'))"
            ".filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 40).length"
        )
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    assert small == 0


def test_without_script(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    waiting(store, 55)
    with signed_in(browser, sqlite_house, java_script_enabled=False) as page:
        page.locator("#seen-1").get_by_role("button", name="Approve").click()
        page.get_by_text("Approved 1 item.", exact=True).wait_for()
        for box in page.locator(".tick input").all():
            box.check()
        page.locator(".bulk").get_by_role("button", name="Hide").click()
        page.get_by_text("Hid 50 items.", exact=True).wait_for()
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("Undid 50 items.", exact=True).wait_for()
        page.locator("#seen-2").get_by_role("button", name="Pin for a week").click()
        page.get_by_text("Pinned 1 item.", exact=True).wait_for()

        page.get_by_role("link", name="Rules").click()
        page.get_by_role("link", name="New rule").click()
        page.get_by_label("Name", exact=True).fill("No casinos")
        page.get_by_label("Value").first.fill("text")
        page.get_by_role("button", name="Add a condition").click()
        assert page.get_by_label("Value").count() == 2
        page.get_by_role("button", name="Remove condition 2").click()
        page.get_by_role("button", name="Rehearse", exact=True).last.click()
        page.get_by_text("It would have hidden 55 of 55.").wait_for()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("“No casinos” is saved.").wait_for()

        page.get_by_role("link", name="Freeze").click()
        page.get_by_label("Until").fill("2026-03-02T12:00")
        page.get_by_label("Why").fill("Election silence")
        page.get_by_role("button", name="Freeze").click()
        page.get_by_text("Nothing new is shown until March 2, 2026, 12:00 PM: Election silence (editor).").wait_for()
        page.get_by_role("button", name="End it now").click()
        page.get_by_text("The freeze is over; 0 items that waited for it are shown.").wait_for()
    with store.reading() as tx:
        assert [rule.name for rule in tx.moderation.rules.all()] == ["No casinos"]
        assert tx.moderation.audit.verify().why == ""


def reach(page: Page, name: str) -> None:
    """Go on by the Tab key until something of this name has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(NAMED, name):
            return
    raise AssertionError(f"Tab never reaches {name!r}")


def test_rules_and_freezes_by_keys_alone(browser: Browser, sqlite_house: Installation) -> None:
    waiting(sqlite_house.store, 3)
    with signed_in(browser, sqlite_house) as page:
        press, type_ = page.keyboard.press, page.keyboard.type
        reach(page, "Rules")
        press("Enter")
        page.get_by_role("heading", name="Rules", exact=True).wait_for()
        reach(page, "New rule")
        press("Enter")
        page.get_by_role("heading", name="New rule").wait_for()
        reach(page, "Name")
        type_("No casinos")
        reach(page, "Value")
        type_("news000")
        press("Enter")  # rehearses, and never saves unseen
        page.get_by_text("It would have hidden 0 of 3.").wait_for()
        reach(page, "Value")
        press("Control+A")
        type_("text")
        reach(page, "Save")
        press("Enter")
        page.get_by_text("“No casinos” is saved.").wait_for()

        reach(page, "Freeze")
        press("Enter")
        page.get_by_role("heading", name="Begin one").wait_for()
        reach(page, "Until")
        type_("03032026")
        press("ArrowRight")
        type_("0130PM")
        reach(page, "Why")
        type_("Election silence")
        press("Enter")
        page.get_by_text("Nothing new is shown until March 3, 2026, 1:30 PM").wait_for()
        reach(page, "End it now")
        press("Enter")
        page.get_by_text("The freeze is over").wait_for()


def test_rules_and_freezes_by_taps_on_a_phone(browser: Browser, sqlite_house: Installation) -> None:
    waiting(sqlite_house.store, 52)
    with signed_in(browser, sqlite_house, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        for tick in page.locator(".tick").all():
            tick.tap()
        page.locator(".bulk").get_by_role("button", name="Hide").tap()
        page.get_by_text("Hid 50 items.", exact=True).wait_for()
        page.get_by_role("link", name="Rules").tap()
        page.get_by_role("link", name="New rule").tap()
        page.get_by_label("Name", exact=True).fill("No casinos")
        page.get_by_label("Value").fill("n001")
        page.get_by_role("button", name="Rehearse", exact=True).last.tap()
        page.get_by_text("It would have hidden 1 of 52.").wait_for()
        page.get_by_role("button", name="Save").tap()
        page.get_by_text("“No casinos” is saved.").wait_for()
        page.get_by_role("link", name="Freeze").tap()
        page.get_by_label("Until").fill("2026-03-03T13:30")
        page.get_by_label("Why").fill("Election silence")
        page.get_by_role("button", name="Freeze").tap()
        page.get_by_role("button", name="End it now").tap()
        page.get_by_text("The freeze is over").wait_for()


def test_what_another_decides_is_seen_without_a_reload(browser: Browser, sqlite_house: Installation) -> None:
    waiting(sqlite_house.store, 3)
    with signed_in(browser, sqlite_house) as page:
        ben = sqlite_house.visitor("ben")
        mark = page.locator("#seen-2").get_attribute("data-mark")
        ben.post("/review/decide", {"one": f"hide {mark} 4"})
        page.locator("#seen-2.decided").get_by_text("offensive (ben,").wait_for()
        ingest_now(sqlite_house.store, add_source(sqlite_house.store, "more", policy=Policy.HOLD), [an_activity("x")])
        page.get_by_text("1 more waits: show").wait_for()


def test_who_is_slower_is_told_so(browser: Browser, sqlite_house: Installation) -> None:
    waiting(sqlite_house.store, 2)
    with signed_in(browser, sqlite_house, java_script_enabled=False) as page:
        ben = sqlite_house.visitor("ben")
        ben.post("/review/decide", {"one": f"hide {page.locator('#seen-1').get_attribute('data-mark')} 1"})
        page.locator("#seen-1").get_by_role("button", name="Approve").click()
        page.get_by_text("ben hid item 1 0 s ago.").wait_for()


def test_a_decision_is_seen_at_once(browser: Browser, sqlite_house: Installation) -> None:
    waiting(sqlite_house.store, 30)
    with signed_in(browser, sqlite_house) as page:
        page.locator("[data-item]:focus").wait_for()
        took = [page.evaluate(TAKES, number) for number in range(1, 21)]
    print(f"median {sorted(took)[10]:.0f} ms")
    assert sorted(took)[10] < 5000  # some 30 ms on an idle machine


@pytest.fixture
def furnished(sqlite_house: Installation) -> Installation:
    """Give a desk with everything that there is to see."""
    store = sqlite_house.store
    specimens.fill(store, "https://pictures.invalid")
    source = add_source(store, "held", name="A" + "wkward" * 20, policy=Policy.HOLD)
    long = an_activity("long", title="Donaudampfschifffahrt" * 12, text="https://example.org/" + "x" * 300, html="")
    ingest_now(store, source, [long, an_activity("other")])
    with store.writing() as tx:
        tx.moderation.rules.add(
            Rule(0, "No " + "betting" * 9, Action.HIDE, (Condition(Field.TEXT, value="casino"),), author="ana"), NOON
        )
        tx.moderation.freezes.begin([None], NOON + timedelta(hours=1), "Election silence", "ana", NOON)
        tx.moderation.audit.note(NOON, "ana", "hid", "activity:1", {"reason": "because " * 10, "from": {"review": "x"}})
    return sqlite_house


def _drawn(route: Route) -> None:
    route.fulfill(status=200, content_type="image/svg+xml", body='<svg xmlns="http://www.w3.org/2000/svg"/>')


@pytest.mark.long
@pytest.mark.parametrize("width", [390, pytest.param(1280, marks=pytest.mark.slow)])
def test_pages_fit_are_legible_and_accessible(browser: Browser, furnished: Installation, width: int) -> None:
    options = {"viewport": {"width": width, "height": 844}, "reduced_motion": "reduce"}
    with signed_in(browser, furnished, Role.ADMIN, **options) as page:
        page.route(
            "**/*pictures.invalid*/**",
            lambda route: route.fulfill(status=200, content_type="image/svg+xml", body="<svg/>"),
        )
        for path in PAGES:
            page.goto(f"{furnished.address}/review{path}")
            if path.endswith("outside"):
                page.context.clear_cookies()
                page.goto(f"{furnished.address}/review{path}")  # the sign-in
            wide = page.evaluate(WIDE, width)
            assert wide == [], path
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                least, where = page.evaluate(CONTRAST)
                assert least >= 4.5, (path, scheme, where)
            if width == 390:
                found = Axe().run(page)
                assert [(one["id"], one["nodes"][0]["html"][:120]) for one in found["violations"]] == [], path


def test_focus_is_always_seen(browser: Browser, furnished: Installation) -> None:
    with signed_in(browser, furnished, Role.ADMIN) as page:
        page.route(
            "**/*pictures.invalid*/**",
            lambda route: route.fulfill(status=200, content_type="image/svg+xml", body="<svg/>"),
        )
        for path in ("", "/rules/1", "/sources/news"):
            page.goto(f"{furnished.address}/review{path}")
            for _ in range(25):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement === document.body"):
                    continue  # the browser's own part of the round
                outline = page.evaluate("getComputedStyle(document.activeElement).outline")
                assert "none" not in outline, page.evaluate("document.activeElement.outerHTML")
                assert " 0px" not in outline
