"""Test the desk's pages in a real Chromium: width, contrast, accessibility and focus, light and dark."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.domain.access.accounts import LinkPurpose, Passkey, Role
from aggregator.domain.access.links import make_link
from aggregator.domain.moderation.conditions import Condition, Field
from aggregator.domain.moderation.rules import Action, Rule
from aggregator.domain.source import Policy
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.openid_provider import running_provider
from tests.reader import specimens
from tests.reader.conftest import browser
from tests.reader.test_front_page import CONTRAST
from tests.review.sign_on_house import desk_at
from tests.review.signed_in import signed_in

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Route

    from storage.store import Store
    from tests.review.conftest import Installation, Stopped

__all__ = ["browser"]

pytestmark = pytest.mark.browser
PAGES = [
    "", "?pile=all", "/items/1", "/items/1?story=open", "/items/9", "/rules", "/rules/1", "/rules/new", "/sources",
    "/sources?sort=folder", "/sources/add", "/sources/news", "/sources/news/descriptions", "/freezes", "/history",
    "/people", "/connections", "/add", "/account", "/confirm", "/account?from=outside",
]  # fmt: skip
MAIN_PAGES = ["", "/items/1", "/rules/1", "/sources", "/account?from=outside"]

# Elements that are wider than the page.
WIDE = """(width) => document.scrollingElement.scrollWidth <= width ? [] :
  Array.from(document.querySelectorAll("body *"))
    .filter((item) => item.getBoundingClientRect().right > width + 1 && !item.closest(".menu, .piles, .scroll"))
    .map((item) => item.outerHTML.slice(0, 90)).slice(0, 6)"""


@pytest.fixture
def furnished(sqlite_house: Installation) -> Installation:
    """Return an installation with content on every page."""
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
    route.fulfill(status=200, content_type="image/svg+xml", body="<svg/>")


@pytest.mark.long
@pytest.mark.parametrize(
    ("width", "pages"),
    [
        pytest.param(390, MAIN_PAGES, id="390-main"),
        pytest.param(390, PAGES, id="390", marks=pytest.mark.slow),
        pytest.param(1280, PAGES, id="1280", marks=pytest.mark.slow),
    ],
)
def test_pages_fit_are_legible_and_accessible(
    browser: Browser, furnished: Installation, width: int, pages: list[str]
) -> None:
    options = {"viewport": {"width": width, "height": 844}, "reduced_motion": "reduce"}
    with signed_in(browser, furnished, Role.ADMIN, **options) as page:
        page.route("**/*pictures.invalid*/**", _drawn)
        for path in pages:
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
                assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found["violations"]] == [], path


@pytest.mark.slow
def test_focus_is_always_seen(browser: Browser, furnished: Installation) -> None:
    with signed_in(browser, furnished, Role.ADMIN) as page:
        page.route("**/*pictures.invalid*/**", _drawn)
        for path in ("", "/rules/1", "/sources/news"):
            page.goto(f"{furnished.address}/review{path}")
            for _ in range(25):
                page.keyboard.press("Tab")
                if page.evaluate("document.activeElement === document.body"):
                    continue  # the browser's own part of the round
                outline = page.evaluate("getComputedStyle(document.activeElement).outline")
                assert "none" not in outline, page.evaluate("document.activeElement.outerHTML")
                assert " 0px" not in outline


@pytest.mark.long
def test_the_preview_of_a_source_fits_and_is_legible(browser: Browser, sqlite_house: Installation) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}
    with signed_in(browser, sqlite_house, Role.EDITOR, **options) as page:
        page.goto(f"{sqlite_house.address}/review/sources/add")
        page.get_by_label("Address or @handle").fill("https://tide.example/")
        page.get_by_role("button", name="Preview").click()
        page.get_by_text("items would be stored").wait_for()
        assert page.evaluate(WIDE, 390) == []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            least, where = page.evaluate(CONTRAST)
            assert least >= 4.5, (scheme, where)
        assert Axe().run(page)["violations"] == []


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 1440])
def test_the_list_fits_and_is_legible(browser: Browser, furnished: Installation, width: int) -> None:
    options = {"viewport": {"width": width, "height": 900}, "reduced_motion": "reduce"}
    with signed_in(browser, furnished, Role.EDITOR, **options) as page:
        page.route("**/*pictures.invalid*/**", _drawn)
        page.get_by_role("button", name="List", exact=True).click()
        for path in ("", "?pile=all", "?pile=mine"):
            page.goto(f"{furnished.address}/review{path}")
            if width == 1440 and page.locator(".line").count():
                page.locator("#pane [data-item]").wait_for()
            assert page.evaluate(WIDE, width) == [], path
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                least, where = page.evaluate(CONTRAST)
                assert least >= 4.5, (path, scheme, where)
            violations = Axe().run(page)["violations"]
            assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in violations] == [], path


@pytest.mark.long
def test_forms_with_a_preview_fit_and_are_legible(browser: Browser, furnished: Installation) -> None:
    options = {"viewport": {"width": 390, "height": 844}, "reduced_motion": "reduce"}
    with signed_in(browser, furnished, Role.EDITOR, **options) as page:
        page.route("**/*pictures.invalid*/**", _drawn)
        page.goto(f"{furnished.address}/review/add")
        page.get_by_label("Title").fill("Office closed")
        page.get_by_label("Text").fill("On Friday.")
        page.get_by_role("button", name="Preview").click()
        page.locator("article.card").wait_for()
        assert Axe().run(page)["violations"] == []
        page.goto(f"{furnished.address}/review/rules/1")
        page.get_by_label("Field").select_option("repost")
        page.get_by_label("Operator").wait_for(state="detached")
        page.get_by_role("button", name="Preview", exact=True).last.click()
        page.locator("article.card").first.wait_for()
        assert page.evaluate(WIDE, 390) == []
        assert Axe().run(page)["violations"] == []


@pytest.mark.long
@pytest.mark.parametrize("width", [390, 1440])
def test_the_ways_to_sign_in_fit_and_are_accessible(
    browser: Browser, sqlite_store: Store, clock: Stopped, tmp_path: Path, width: int
) -> None:
    with running_provider(clock) as provider, desk_at(sqlite_store, clock, provider, tmp_path) as (house, _):
        link = make_link(LinkPurpose.PASSWORD)
        options = {"viewport": {"width": width, "height": 844}, "reduced_motion": "reduce"}
        with signed_in(browser, house, Role.ADMIN, **options) as page:
            with sqlite_store.writing() as tx:
                tx.access.passkeys.add(Passkey(0, 1, "AAAA", "Phone " * 10, b"key", 0, NOON))
                tx.access.accounts.add("mira", Role.EDITOR, "", NOON, issuer=provider.issuer, subject="7")
                tx.access.accounts.add("zoe", Role.VIEWER, "a hash", NOON)
                tx.access.totp.add(3, "encrypted", 1, NOON)
                tx.access.settings.change(2, email="a-long-name@a-long-domain.example")
                tx.access.links.add(link.digest, 1, link.purpose, clock() + link.lasts)
            for path in ("/account", "/account/passkeys", "/people", "/confirm", link.address(""), "/sign-in"):
                if path == "/confirm":
                    clock.pass_(minutes=11)
                if path == "/sign-in":
                    page.context.clear_cookies()
                page.goto(f"{house.address}/review{path.removeprefix('/review')}")
                assert page.evaluate(WIDE, width) == [], path
                for scheme in ("light", "dark"):
                    page.emulate_media(color_scheme=scheme)
                    least, where = page.evaluate(CONTRAST)
                    assert least >= 4.5, (path, scheme, where)
                found = Axe().run(page)
                assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found["violations"]] == [], path
