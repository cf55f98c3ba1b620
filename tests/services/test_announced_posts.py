"""Test which announced posts cause another poll, and when."""

from __future__ import annotations

from aggregator.services.announced_posts import AGES, MOST, AnnouncedPosts


def test_a_post_that_is_not_stored_causes_two_more_polls() -> None:
    posts = AnnouncedPosts()
    posts.add("p1", "ada", 0.0)
    assert posts.due(AGES[0] - 1) == []
    assert posts.due(AGES[0]) == ["p1"]
    assert posts.missing(["p1"], set(), AGES[0]) == {"ada"}
    assert posts.due(AGES[0] + AGES[1] - 1) == []
    assert posts.missing(posts.due(AGES[0] + AGES[1]), set(), AGES[0] + AGES[1]) == {"ada"}
    assert posts.due(1e9) == []


def test_a_stored_post_is_forgotten() -> None:
    posts = AnnouncedPosts()
    posts.add("p1", "ada", 0.0)
    posts.add("p2", "bob", 0.0)
    assert posts.missing(["p1", "p2"], {"p1"}, AGES[0]) == {"bob"}
    assert posts.due(1e9) == ["p2"]


def test_a_post_counts_once_and_events_without_a_post_do_not() -> None:
    posts = AnnouncedPosts()
    posts.add("p1", "ada", 0.0)
    posts.add("p1", "ada", 5.0)
    posts.add("", "ada", 0.0)
    assert posts.due(AGES[0]) == ["p1"]


def test_the_number_of_posts_is_bounded() -> None:
    posts = AnnouncedPosts()
    for number in range(MOST + 10):
        posts.add(str(number), "ada", 0.0)
    assert posts.due(1e9)[0] == "10"
