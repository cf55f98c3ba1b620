"""Test rules and freezes in a real Chromium: keyboard, and taps on a phone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reader.conftest import browser
from tests.review.signed_in import signed_in
from tests.review.test_browser import waiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.review.conftest import Installation

__all__ = ["browser"]

pytestmark = pytest.mark.browser
# Whether what has the focus goes by a name.
NAMED = """(name) => {
  const focused = document.activeElement;
  const label = focused.labels?.[0]?.querySelector("span") || focused;
  return label.textContent.trim() === name;
}"""


def reach(page: Page, name: str) -> None:
    """Press Tab until an element of this name has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate(NAMED, name):
            return
    raise AssertionError(f"Tab never reaches {name!r}")


@pytest.mark.parametrize("scripted", [True, False])
def test_a_rule_shows_only_the_inputs_of_the_chosen_condition(
    browser: Browser, sqlite_house: Installation, scripted: bool
) -> None:
    waiting(sqlite_house.store, 3)
    with signed_in(browser, sqlite_house, java_script_enabled=scripted) as page:
        page.goto(f"{sqlite_house.address}/review/rules/new")

        def choose(field: str) -> None:
            page.get_by_label("Field").select_option(field)
            if not scripted:
                page.get_by_role("button", name="Choose field 1").click()

        page.get_by_label("Name", exact=True).fill("Too many")
        assert page.locator("input[name=value]").count() == 0
        choose("repost")
        page.get_by_label("Operator").wait_for(state="detached")
        assert page.get_by_label("Value").count() == 0
        choose("kind")
        page.locator("select[name=value-0]").wait_for()
        choose("cap")
        page.get_by_role("spinbutton", name="Items").fill("2")
        choose("source")
        source = page.get_by_role("combobox", name="Value")
        source.wait_for()
        assert source.input_value() == ""
        source.fill("news")
        assert page.get_by_label("Name", exact=True).input_value() == "Too many"
        page.get_by_role("button", name="Preview", exact=True).last.click()
        page.get_by_text("This rule would have hidden 3 of 3 items.").wait_for()
        assert page.locator(".matches article.card").count() == 3


@pytest.mark.slow
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
        page.get_by_text("This rule would have hidden 0 of 3 items.").wait_for()
        reach(page, "Value")
        press("Control+A")
        type_("text")
        reach(page, "Save")
        press("Enter")
        page.get_by_text("“No casinos” saved.").wait_for()

        reach(page, "Freeze")
        press("Enter")
        page.get_by_role("heading", name="Start a freeze").wait_for()
        reach(page, "Until")
        type_("03032026")
        press("ArrowRight")
        type_("0130PM")
        reach(page, "Reason")
        type_("Election silence")
        press("Enter")
        page.get_by_text("New items are held until March 3, 2026, 1:30 PM").wait_for()
        reach(page, "End freeze now")
        press("Enter")
        page.get_by_text("Freeze ended.").wait_for()


@pytest.mark.slow
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
        page.get_by_role("button", name="Preview", exact=True).last.tap()
        page.get_by_text("This rule would have hidden 1 of 52 items.").wait_for()
        page.get_by_role("button", name="Save").tap()
        page.get_by_text("“No casinos” saved.").wait_for()
        page.get_by_role("link", name="Freeze").tap()
        page.get_by_label("Until").fill("2026-03-03T13:30")
        page.get_by_label("Reason").fill("Election silence")
        page.get_by_role("button", name="Start freeze").tap()
        page.get_by_role("button", name="End freeze now").tap()
        page.get_by_text("Freeze ended.").wait_for()
