"""Set up an authenticator app and sign in with its codes in Chromium, at a phone's and a desktop's width."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from axe_core_python.sync_playwright import Axe

from aggregator.config.credential_encryption import HeaderCipher
from aggregator.domain.access.accounts import Passkey, Role
from aggregator.review.authenticator_apps import QrCode
from tests.building import NOON
from tests.reader.conftest import browser
from tests.reader.test_front_page import CONTRAST
from tests.review.conftest import PASSWORD, SECRET, installed
from tests.review.signed_in import signed_in
from tests.review.test_appearance import WIDE
from tests.review.test_second_factor import code_at

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from storage.store import Store
    from tests.review.conftest import Installation, Stopped

__all__ = ["browser"]


def check_appearance(page: Page, width: int) -> None:
    assert page.evaluate(WIDE, width) == [], page.url
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        least, where = page.evaluate(CONTRAST)
        assert least >= 4.5, (page.url, scheme, where)
    found = Axe().run(page)
    assert [(rule["id"], rule["nodes"][0]["html"][:120]) for rule in found["violations"]] == [], page.url


def give_password(page: Page, house: Installation) -> None:
    page.goto(f"{house.address}/review/sign-in")
    page.get_by_label("Name").fill("editor")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Enter a code").wait_for()


def set_up(page: Page, house: Installation, width: int) -> tuple[str, str]:
    """Set up an app; return its key and a recovery code."""
    page.goto(f"{house.address}/review/account")
    page.get_by_role("link", name="Set up an authenticator app").click()
    key = page.locator("code.secret").inner_text().replace(" ", "")
    assert page.get_by_role("img", name="QR code of the key").is_visible()
    check_appearance(page, width)
    page.get_by_label("Code", exact=False).and_(page.get_by_role("textbox")).fill(code_at(key, house.clock()))
    page.get_by_role("button", name="Turn on").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    codes = page.locator(".recovery-codes code").all_inner_texts()
    assert len(codes) == 10
    check_appearance(page, width)
    page.get_by_role("link", name="I have stored them").click()
    page.get_by_text("10 recovery codes left").wait_for()
    check_appearance(page, width)
    house.clock.pass_(seconds=30)
    return key, codes[0]


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1440])
def test_a_user_sets_up_an_app_and_signs_in(browser: Browser, sqlite_store: Store, clock: Stopped, width: int) -> None:
    options = {"viewport": {"width": width, "height": 844}, "reduced_motion": "reduce"}
    with (
        installed(sqlite_store, clock, host="localhost") as house,
        signed_in(browser, house, Role.EDITOR, **options) as page,
    ):
        key, recovery = set_up(page, house, width)
        with sqlite_store.writing() as tx:
            tx.access.passkeys.add(Passkey(0, 1, "AAAA", "Phone", b"key", 0, NOON))
        page.get_by_role("button", name="Sign out", exact=True).click()
        give_password(page, house)
        page.get_by_role("button", name="Use a passkey").wait_for()
        check_appearance(page, width)
        page.get_by_role("textbox", name="Code 6 digits").fill(code_at(key, clock()))
        page.keyboard.press("Enter")
        page.locator(".who-am-i").wait_for()

        clock.pass_(minutes=11)
        page.goto(f"{house.address}/review/account/totp")
        check_appearance(page, width)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("textbox", name=re.compile("^Code")).fill(code_at(key, clock()))
        page.get_by_role("button", name="Confirm").click()
        page.get_by_role("heading", name="Set up an authenticator app").wait_for()

        page.get_by_role("button", name="Sign out", exact=True).click()
        give_password(page, house)
        page.get_by_role("textbox", name="Recovery code").fill(recovery.lower())
        page.get_by_role("button", name="Use recovery code").click()
        page.get_by_text("Recovery codes left: 9.").wait_for()


@pytest.mark.browser
def test_guesses_in_the_browser_are_paused(browser: Browser, sqlite_house: Installation) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(20_000)
    sqlite_house.visitor("editor", Role.EDITOR)
    with sqlite_house.store.writing() as tx:
        tx.access.totp.add(1, HeaderCipher(SECRET).close("totp:1", {"key": "A" * 32}), 0, NOON)
    give_password(page, sqlite_house)
    for _ in range(6):
        page.get_by_role("textbox", name="Code 6 digits").fill("12")
        with page.expect_navigation():
            page.keyboard.press("Enter")
    page.get_by_text("Too many failed sign-ins. Try again in").wait_for()
    context.close()


def test_a_qr_code_has_a_border_and_three_finders() -> None:
    made = QrCode.of("otpauth://totp/Review%20desk:ana?secret=ABCDEFGH")
    dark = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h1v1h-1z", made.path)}
    assert min(min(point) for point in dark) == 4
    assert max(max(point) for point in dark) == made.size - 5
    far = made.size - 11
    for left, top in ((4, 4), (far, 4), (4, far)):
        assert {(left + step, top) for step in range(7)} <= dark
        assert (left + 1, top + 1) not in dark
        assert (left + 3, top + 3) in dark
