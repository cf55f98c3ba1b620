"""Stitching, against the plainest way to say it over the whole stream at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from aggregator.stitching import REACH, Entry, about, stitched

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
        near = [one for one, _ in stream[max(place - REACH, 0) : place]]
        if name not in near:
            newest[name] = (place, [])
            shown.append(newest[name])
        elif is_repost and place - newest[name][0] <= REACH:
            newest[name][1].append(place)
    return shown


def paged(stream: list[tuple[str, bool]], size: int) -> list[tuple[int, list[int]]]:
    """Return the same, page by page, each knowing no more than what stands before it."""
    entries = [Entry(name, is_repost, place) for place, (name, is_repost) in enumerate(stream)]
    found: list[tuple[int, list[int]]] = []
    start = 0
    while True:
        before = [entry.about for entry in entries[max(start - REACH, 0) : start]]
        shown, more = stitched(iter(entries[start:]), before, size)
        found += [(one.item, one.others) for one in shown]
        if not more:
            return found
        start = shown[-1].item + 1


@given(STREAMS | FEW, st.integers(1, 30))
def test_pages_of_any_size_show_what_the_whole_stream_would(stream: list[tuple[str, bool]], size: int) -> None:
    assert paged(stream, size) == naive(stream)


def test_no_more_entries_are_taken_than_needed() -> None:
    taken = []

    def endless() -> Iterator[Entry[int]]:
        for number in range(10_000):
            taken.append(number)
            yield Entry(str(number), is_repost=False, item=number)

    shown, more = stitched(endless(), [], 20)
    assert (len(shown), more) == (20, True)
    assert len(taken) <= 20 + REACH + 1


def test_a_quote_is_about_itself() -> None:
    assert about("x:5", "x:4", is_repost=False) == "x:5"
    assert about("x:5", "x:4", is_repost=True) == "x:4"
    assert about("x:5", None, is_repost=True) == "x:5"
