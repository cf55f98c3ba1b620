"""Test which activities get a newer version of the post that they embed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from aggregator.domain.activity import (
    Activity,
    ActivityKind,
    Actor,
    Content,
    NewActivity,
    Original,
    Review,
    SourceRef,
    Upstream,
)
from aggregator.domain.matching.embedding import originals_in, with_current_object
from tests.building import NOON

ANA = Actor("x", "7", "Ana", "ana", url="https://x.com/ana")


def content(version: str, text: str, kind: ActivityKind = ActivityKind.POST, **more: Any) -> Content:
    return Content(kind, "x", f"https://x.com/ana/status/{version}", ANA, text=text, **more)


def original(version: str = "99", text: str = "Monday", **more: Any) -> Original:
    return Original("x:99", "99", content(version, text, **more))


def stored(kind: ActivityKind, object_: Original | None, **more: Any) -> Activity:
    about = Content(kind, "x", "https://x.com/desk/status/500", Actor("x", "1", "Desk"), **more)
    return Activity(
        id=1, source=SourceRef("desk", "Desk"), native_id="500", key="x:500", content=about, object=object_,
        object_key="x:99", first_seen=NOON, position=NOON, revision=1, fingerprint="1:abc", upstream=Upstream.LIVE,
        review=Review.PUBLISHED, review_by="policy", review_reason="", visible=True,
    )  # fmt: skip


def updated(row: Activity, new: Original) -> NewActivity | None:
    return with_current_object(row, {new.key: new})


def test_a_newer_version_replaces_an_older_one() -> None:
    for kind in (ActivityKind.REPOST, ActivityKind.QUOTE, ActivityKind.REPLY):
        found = updated(stored(kind, original()), original("100", "Tuesday"))
        assert found is not None
        assert found.object is not None
        assert (found.object.content.text, found.native_id, found.object_key) == ("Tuesday", "500", "x:99")


@pytest.mark.parametrize(
    "new",
    [original(), original("99", "Other words of the same version"), original("98", "Older")],
    ids=["same", "same version", "older"],
)
def test_the_same_or_an_older_version_changes_nothing(new: Original) -> None:
    assert updated(stored(ActivityKind.REPOST, original("99")), new) is None


def test_versions_are_compared_as_numbers() -> None:
    assert updated(stored(ActivityKind.REPOST, original("999")), original("1000", "Later")) is not None
    assert updated(stored(ActivityKind.REPOST, original("1000")), original("999", "Earlier")) is None


def test_a_returned_original_completes_a_repost_and_a_quote() -> None:
    repost = updated(stored(ActivityKind.REPOST, None, text="RT @ana: Mon…", html="<p>RT", complete=False), original())
    assert repost is not None
    assert (repost.content.text, repost.content.html, repost.content.complete) == ("", "", True)
    quote = updated(stored(ActivityKind.QUOTE, None, text="My words", complete=False), original())
    assert quote is not None
    assert (quote.content.text, quote.content.complete, quote.object) == ("My words", True, original())


def test_a_repost_is_withheld_where_its_original_is() -> None:
    row = stored(ActivityKind.REPOST, original(withheld=("DE",)), withheld=("DE", "FR"))
    found = updated(row, original(withheld=("TR",)))
    assert found is not None
    assert found.content.withheld == ("FR", "TR")


def test_an_author_that_the_response_does_not_name_stays_known() -> None:
    unknown = Actor("x", "7", "X user 7", partial=True)
    new = Original("x:99", "99", replace(content("100", "Tuesday"), actor=unknown, url="https://x.com/i/status/100"))
    found = updated(stored(ActivityKind.REPOST, original()), new)
    assert found is not None
    assert found.object is not None
    assert (found.object.content.actor, found.object.content.url) == (ANA, "https://x.com/ana/status/100")


def test_originals_are_posts_and_embedded_posts_in_their_newest_version() -> None:
    repost = NewActivity("500", "x:500", content("500", "", ActivityKind.REPOST), "d", original("100", "Tuesday"))
    own = NewActivity("99", "x:99", content("99", "Monday"), "d")
    withheld = NewActivity("98", "x:98", content("98", "No", withheld=("XY",)), "d")
    assert originals_in([repost, own, withheld]) == {"x:99": original("100", "Tuesday")}
