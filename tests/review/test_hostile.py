"""Check that no payload in feeds, profiles and forms runs on the desk, with hundreds of them in a real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from aggregator.domain.access.accounts import Role
from aggregator.domain.activity import (
    ActivityKind,
    Actor,
    Link,
    Media,
    NewActivity,
)
from aggregator.domain.moderation.conditions import Condition, Field
from aggregator.domain.moderation.rules import Action, Rule
from aggregator.domain.source import Policy
from aggregator.text.html import clean_html
from tests.building import NOON, add_source, an_activity, ingest_now
from tests.reader.conftest import browser
from tests.review.signed_in import signed_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog

    from tests.review.conftest import Installation

__all__ = ["browser"]

pytestmark = pytest.mark.browser

# ruff: noqa: E501, ISC004  # payloads are literal
_RUN = ("alert(1)", "window.struck=1", "top.struck=1//", "eval('struck=1')", "fetch('/struck')")
_WAYS = (
    "<script>{}</script>", "<ScRiPt>{}</sCrIpT>", "<scr<script>ipt>{}</script>", "</title><script>{}</script>",
    "--><script>{}</script>", "]]><script>{}</script>", '"><script>{}</script>', "'><script>{}</script>",
    "</textarea><script>{}</script>", "</style><script>{}</script>", "<img src=x onerror={}>", '<img src=x onerror="{}">',
    "<img/src=x/onerror={}>", '"><img src=x onerror={}>', "' autofocus onfocus={} x='", '" autofocus onfocus={} x="',
    "<svg onload={}>", "<svg/onload={}>", "<svg><script>{}</script></svg>", "<svg><animate onbegin={} attributeName=x>",
    "<math><mtext></table><img src=x onerror={}>", "<body onload={}>", "<iframe srcdoc='<script>{}</script>'>",
    '<iframe src="javascript:{}">', '<a href="javascript:{}">x</a>', '<a href=" java\tscript:{}">x</a>',
    "<a href=data:text/html,<script>{}</script>>x</a>", "<form action=javascript:{}><button>x</button></form>",
    "<button formaction=javascript:{}>x</button>", "<details open ontoggle={}>", "<video><source onerror={}></video>",
    "<audio src=x onerror={}>", "<input autofocus onfocus={}>", "<select autofocus onfocus={}>", "<marquee onstart={}>",
    "<object data=javascript:{}>", "<embed src=javascript:{}>", "<base href=//evil.invalid/>{}", "<meta http-equiv=refresh "
    "content='0;javascript:{}'>", "<link rel=stylesheet href=javascript:{}>", "<style>@import 'javascript:{}';</style>",
    "<p style='background:url(javascript:{})'>x</p>", "{{{{{}}}}}", "{{% {} %}}", "${{{}}}", "<noscript><p title='</noscript>"
    "<img src=x onerror={}>'>", "<template><script>{}</script></template>", "javascript:{}", "\\u003cscript\\u003e{}",
)  # fmt: skip
PAYLOADS = [way.format(run) for way in _WAYS for run in _RUN]


def test_there_are_enough_of_them() -> None:
    assert len(set(PAYLOADS)) >= 200


def _item(number: int, payload: str) -> NewActivity:
    """Put a payload everywhere where a source has a say, as kinds of source clean it."""
    content: dict[str, Any] = {
        "kind": [ActivityKind.ARTICLE, ActivityKind.POST, ActivityKind.VIDEO][number % 3],
        "network": "x" if number % 3 == 1 else "web",
        "title": payload,
        "text": payload,
        "html": clean_html(payload),
        "actor": Actor("x", f"{number}", payload, payload[:40], payload, payload),
        "url": payload,
        "media": (Media("image", payload, alt=payload, preview=payload),),
        "links": (Link(payload, payload),),
        "hashtags": (payload,),
        "lang": "en",
    }
    return an_activity(f"p{number}{payload}", **content)


@pytest.mark.slow
def test_no_payload_runs_on_any_page(browser: Browser, sqlite_house: Installation) -> None:
    store = sqlite_house.store
    source = add_source(store, name=PAYLOADS[0], policy=Policy.HOLD)
    ingest_now(store, source, [_item(number, payload) for number, payload in enumerate(PAYLOADS)])
    with store.writing() as tx:
        tx.polling.sources.set_state(source.id, source.state, PAYLOADS[10], NOON)
        for number, payload in enumerate(PAYLOADS[::20]):
            tx.moderation.rules.add(
                Rule(0, payload[:80], Action.TAG, (Condition(Field.TEXT, value=payload),), value="x"), NOON
            )
            tx.moderation.decisions.write(number + 1, None, payload[:200], payload, who=payload[:60], now=NOON)
        tx.moderation.freezes.begin([None], NOON.replace(hour=18), PAYLOADS[3], PAYLOADS[4], NOON)
        tx.moderation.audit.note(
            NOON, PAYLOADS[5], PAYLOADS[6], PAYLOADS[7], {"reason": PAYLOADS[8], PAYLOADS[9]: PAYLOADS[0]}
        )
    dialogs: list[str] = []
    requests: list[str] = []
    pages = [
        "/rules",
        "/rules/1",
        "/sources",
        f"/sources/{source.slug}",
        "/freezes",
        "/history",
        "/items/1",
        "/items/31",
    ]
    pages += [f"?pile=all&after={after}" for after in (1000, 200, 150, 100, 50)]
    with signed_in(browser, sqlite_house, Role.ADMIN) as page:
        page.context.on("request", lambda request: requests.append(request.url))
        page.context.route(lambda address: sqlite_house.address not in address, lambda route: route.abort())
        console = page.context.new_page()  # console messages of this page are expected: broken images

        def refuse(dialog: Dialog) -> None:
            dialogs.append(dialog.message)
            dialog.dismiss()

        console.on("dialog", refuse)
        seen = 0
        for path in pages:
            console.goto(f"{sqlite_house.address}/review{path}")
            seen += console.locator("[data-item]").count()
            for summary in console.locator("summary").all()[:3]:
                summary.click()
            assert console.evaluate("window.struck") is None, path
            assert (
                console.locator("main script, main iframe, main object, main embed, main base, main meta").count() == 0
            )
            attributes = console.evaluate(
                "Array.from(document.querySelectorAll('*')).flatMap((one) => Array.from(one.attributes))"
                ".filter((one) => one.name.startsWith('on') || /^\\s*(java\\s*script|data:text)/i.test(one.value)"
                " && ['href', 'src', 'action', 'formaction', 'srcdoc'].includes(one.name)).map((one) => one.value)"
            )
            assert attributes == [], path
    assert dialogs == []
    assert not [address for address in requests if "struck" in address]
    assert seen >= len(PAYLOADS)
