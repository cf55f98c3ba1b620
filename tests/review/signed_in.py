"""Open pages of the review desk in a real Chromium, as a user who is signed in."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aggregator.config import passwords
from aggregator.domain.access.accounts import Role
from tests.review.conftest import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.review.conftest import Installation


@contextmanager
def signed_in(browser: Browser, house: Installation, role: Role = Role.EDITOR, **options: Any) -> Iterator[Page]:
    """Sign in through the form; fail if the page logged anything to the console."""
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
    page.wait_for_load_state("load")  # keys need the script
    try:
        yield page
    finally:
        context.close()
    assert complaints == []
