"""Test that the same announcement on several networks is one story: real polls of four kinds, on both databases."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest

from aggregator.demo.portal import PORTAL
from aggregator.domain.activity import ActivityKind
from tests.networks import MINUTE, WORDS, four_networks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from aggregator.domain.activity import Activity
    from storage.store import Store
    from tests.networks import Networks


@pytest.fixture
def networks(store: Store, tmp_path: Path) -> Iterator[Networks]:
    with four_networks(store, tmp_path) as networks:
        yield networks


def _networks_of(story: Sequence[Activity]) -> set[str]:
    return {item.content.network for item in story}


def test_the_same_link_on_four_networks_is_one_story_in_every_order_of_arrival(networks: Networks) -> None:
    orders = list(permutations(networks.sources))
    for number, order in enumerate(orders):
        for network in order:
            # Each network has words of its own: only the link is the same.
            networks.publish(network, f"{network} writes about plan {number}", 5 * number, f"plan-{number}")
            networks.poll(network)
    stories = networks.stories()
    assert len(stories) == len(orders) == 24
    for story in stories:
        assert _networks_of(story) == set(networks.sources)
        assert len(story) == 4
        assert story[0].content.kind is ActivityKind.ARTICLE


def test_the_same_words_on_three_networks_are_one_story_in_every_order_of_arrival(networks: Networks) -> None:
    orders = list(permutations(("x", "bluesky", "mastodon")))
    for number, order in enumerate(orders):
        for network in order:
            minute = 5 * number + ("x", "bluesky", "mastodon").index(network)
            networks.publish(network, WORDS.format(number), minute)
            networks.poll(network)
    assert [_networks_of(story) for story in networks.stories()] == [{"x", "bluesky", "mastodon"}] * len(orders)


def test_a_link_of_one_network_leads_the_same_words_of_others_to_the_article(networks: Networks) -> None:
    orders = list(permutations(("x", "bluesky", "mastodon", "web")))
    for number, order in enumerate(orders):
        for network in order:
            page = f"page-{number}" if network in {"mastodon", "web"} else None
            networks.publish(network, WORDS.format(number), 5 * number, page)
            networks.poll(network)
    assert [_networks_of(story) for story in networks.stories()] == [set(networks.sources)] * len(orders)
    assert {len(story) for story in networks.stories()} == {4}


def test_different_announcements_stay_apart(networks: Networks) -> None:
    other = "sample_ministry"
    networks.publish("x", WORDS.format(1), 0)
    networks.publish("bluesky", WORDS.format(2), 0)  # another number
    networks.publish("mastodon", WORDS.format(1).replace("14", "15"), 0)  # another day
    networks.publish("bluesky", WORDS.format(1), 31)  # later than half an hour
    networks.publish("x", "Good morning!", 1)  # too short to be one announcement
    networks.publish("mastodon", "Good morning!", 1)
    networks.publish("x", "The new report of the commission is here", 2, "report-1")
    networks.publish("mastodon", "The new report of the commission is here", 2, "report-2")  # another page
    boosted = networks.world.social.mastodon.write(other, WORDS.format(1), networks.start)
    networks.world.social.mastodon.repost(PORTAL, boosted, networks.start)  # of an account that is not declared
    networks.poll("x", "bluesky", "mastodon")
    assert networks.sizes() == [1] * 9


def test_a_network_that_repeats_the_words_has_a_second_story(networks: Networks) -> None:
    for minute in (20, 0):  # the later ones arrive first
        networks.publish("mastodon", WORDS.format(1), minute)
        networks.publish("bluesky", WORDS.format(1), minute + 1)
        networks.poll("bluesky", "mastodon")
    times = [sorted(item.position for item in story) for story in networks.stories()]
    assert [(late - early) / MINUTE for early, late in times] == [1, 1]


def test_reposts_follow_their_original(networks: Networks) -> None:
    x, minute = networks.world, networks.start
    original = networks.publish("x", WORDS.format(1), 0)
    x.repost(x.by_username[PORTAL], original, minute + MINUTE)
    networks.poll("x")
    networks.publish("bluesky", WORDS.format(1), 2)
    networks.poll("bluesky")  # moves the original, and its repost
    x.repost(x.by_username[PORTAL], original, minute + 3 * MINUTE)
    networks.poll("x")  # a repost of an original that has moved
    assert networks.sizes() == [4]


@pytest.mark.parametrize("page", ["plan", None], ids=["by-link", "by-words"])
def test_what_an_editor_split_stays_apart(networks: Networks, page: str | None) -> None:
    posts = {name: networks.publish(name, WORDS.format(1), 0, page) for name in ("x", "bluesky", "mastodon")}
    networks.poll("x", "bluesky", "mastodon")
    assert networks.sizes() == [3]
    split = networks.item("bluesky")
    with networks.container.store.writing() as tx:
        tx.moderation.decisions.join_story(split.id, split.revision, None, who="ana", now=networks.world.clock())
    assert networks.sizes() == [1, 2]
    # Nothing that arrives later brings it back: an edit of each, a repost, and the same words once more.
    for network in ("bluesky", "mastodon"):
        social = getattr(networks.world.social, network)
        social.repost(PORTAL, posts[network], networks.start + MINUTE)
        social.edit(posts[network], f"{WORDS.format(1)} #OpenGov")
    networks.publish("mastodon", WORDS.format(1), 5, page)
    networks.poll("mastodon", "bluesky", "x")
    assert [_networks_of(story) for story in networks.stories() if split.id in {item.id for item in story}] == [
        {"bluesky"}
    ]
    assert networks.item("bluesky").content.text.endswith("#OpenGov")


def test_a_deleted_post_leaves_its_story(networks: Networks) -> None:
    posts = {name: networks.publish(name, WORDS.format(1), 0, "plan") for name in ("web", "x", "bluesky", "mastodon")}
    networks.poll("web", "x", "bluesky", "mastodon")
    assert networks.sizes() == [4]
    for network in ("bluesky", "mastodon"):
        networks.publish(network, f"Something else on {network}", -5)
        getattr(networks.world.social, network).delete(posts[network])
    networks.poll("bluesky", "mastodon")
    assert networks.sizes() == [1, 1, 2]
