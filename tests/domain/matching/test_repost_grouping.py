"""Compare repost grouping with a naive version over the whole stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.activity import ActivityKind
from aggregator.domain.matching.repost_grouping import REACH, Entry, entry_of, part_of_story, shown_before, stitched

if TYPE_CHECKING:
    from collections.abc import Iterator

# Newest first: what each entry is about, and whether it is a repost of that.
MANY = [chr(code) for code in range(0x41, 0x41 + 90)]
STREAMS = st.lists(st.tuples(st.sampled_from(MANY), st.booleans()), min_size=50, max_size=200)
FEW = st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), min_size=50, max_size=200)


def naive(stream: list[tuple[str, bool]]) -> list[tuple[int, list[int]]]:
    """Return each entry shown by its place, with the places of the reposts near it that collapsed into it."""
    shown: list[tuple[int, list[int]]] = []
    newest: dict[str, tuple[int, list[int]]] = {}
    for place, (name, is_repost) in enumerate(stream):
        near = [entry for entry, _ in stream[max(place - REACH, 0) : place]]
        if name not in near:
            newest[name] = (place, [])
            shown.append(newest[name])
        elif is_repost and place - newest[name][0] <= REACH:
            newest[name][1].append(place)
    return shown


def paged(stream: list[tuple[str, bool]], size: int, furthest: int = 1000) -> list[tuple[int, list[int]]]:
    """Return the same page by page, where each page only knows the entries before it."""
    entries = [Entry(name, str(place) if is_repost else None, place) for place, (name, is_repost) in enumerate(stream)]
    found: list[tuple[int, list[int]]] = []
    start = 0
    while True:
        before = entries[max(start - REACH, 0) : start]
        shown, last = stitched(iter(entries[start:]), before, size, furthest=furthest)
        found += [(group.item, group.others) for group in shown]
        if last is None:
            return found
        start = last + 1


@given(STREAMS | FEW, st.integers(1, 30))
def test_pages_of_any_size_show_what_the_whole_stream_would(stream: list[tuple[str, bool]], size: int) -> None:
    assert paged(stream, size) == naive(stream)


@pytest.mark.slow
@given(STREAMS | FEW, st.integers(1, 30), st.integers(1, 60))
def test_pages_that_end_early_show_the_same(stream: list[tuple[str, bool]], size: int, furthest: int) -> None:
    assert [place for place, _ in paged(stream, size, furthest)] == [place for place, _ in naive(stream)]


def test_no_more_entries_are_taken_than_needed() -> None:
    taken = []

    def endless() -> Iterator[Entry[int]]:
        for number in range(10_000):
            taken.append(number)
            yield Entry(str(number), None, number)

    shown, last = stitched(endless(), [], 20)
    assert (len(shown), last) == (20, 19)
    assert len(taken) <= 20 + REACH + 1


def test_a_long_run_of_one_original_ends_a_page_early() -> None:
    taken = []

    def viral() -> Iterator[Entry[int]]:
        for number in range(10_000):
            taken.append(number)
            yield Entry("a", str(number), number)

    shown, last = stitched(viral(), [], 20)
    assert ([group.item for group in shown], last, len(taken)) == ([0], 999, 1000)
    assert stitched(viral(), [Entry("a", None, -1)], 20)[0] == []


def test_a_repost_that_two_sources_brought_is_named_once() -> None:
    entries = [Entry("a", "x:5", 1), Entry("a", "x:5", 2), Entry("a", "x:6", 3), Entry("a", "x:6", 4)]
    [group], _ = stitched(entries, [], 20)
    assert (group.item, group.others) == (1, [3])


def test_a_quote_is_about_itself() -> None:
    assert entry_of(1, ActivityKind.QUOTE, "x:5", "x:4") == ("x:5", None, 1, None)
    assert entry_of(1, ActivityKind.REPOST, "x:5", "x:4") == ("x:4", "x:5", 1, None)
    assert entry_of(1, ActivityKind.REPOST, "x:5", None) == ("x:5", "x:5", 1, None)


def test_articles_of_one_address_stay_apart() -> None:
    entries = [entry_of(number, ActivityKind.ARTICLE, "web:page", None) for number in range(3)]
    shown, _ = stitched(entries, [Entry("web:page", None, -1)], 20)
    assert [group.item for group in shown] == [0, 1, 2]


def of_story(item: int, kind: ActivityKind, source: int) -> Entry[int]:
    return part_of_story(item, kind, "web:page", None, source)


def test_the_same_article_of_two_sources_is_one_entry_that_names_the_other() -> None:
    entries = [of_story(1, ActivityKind.ARTICLE, 7), of_story(2, ActivityKind.ARTICLE, 8)]
    [group], _ = stitched(entries, [], 20)
    assert (group.item, group.others) == (1, [2])


def test_articles_of_one_source_with_one_address_stay_apart_in_stories_too() -> None:
    articles = [of_story(number, ActivityKind.ARTICLE, 7) for number in range(3)]
    post = of_story(9, ActivityKind.POST, 8)
    entries = [articles[0], post, articles[1], articles[2]]
    shown, _ = stitched(entries, [], 20)
    assert [(group.item, group.others) for group in shown] == [(0, [9]), (1, []), (2, [])]
    assert shown_before(entries[::-1], 20) == [2, 1, 0]
    assert [group.item for group in stitched(entries[2:], entries[:2], 20)[0]] == [1, 2]


def test_articles_of_one_source_that_an_editor_merged_are_one_entry() -> None:
    merged = part_of_story(2, ActivityKind.ARTICLE, "web:other", "web:page", 7)
    [group], _ = stitched([of_story(1, ActivityKind.ARTICLE, 7), merged], [], 20)
    assert (group.item, group.others) == (1, [2])
