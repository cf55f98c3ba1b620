"""Test that blocks are arranged in columns of about the same height."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aggregator.domain.portal_layout import Size, arrange, columns_of, height
from aggregator.domain.portal_page import BlockType

MOST = 8
NARROW = [BlockType.NEWS, BlockType.SOCIAL, BlockType.EVENTS, BlockType.VIDEO]
SIZES = st.lists(st.builds(Size, st.sampled_from(NARROW), st.integers(1, MOST)), max_size=6)


def stream(count: int) -> Size:
    return Size(BlockType.STREAM, count)


@given(SIZES, st.booleans(), st.booleans())
def test_each_block_has_one_place(sizes: list[Size], has_stream: bool, has_map: bool) -> None:
    blocks = [*sizes, *[stream(3)] * has_stream, Size(BlockType.TOPICS, 4), *[Size(BlockType.COUNTRIES, 0)] * has_map]
    layout = arrange(blocks)
    placed = [*([layout.main] if layout.main is not None else []), *layout.side, *(row.block for row in layout.rows)]
    assert sorted(placed) == list(range(len(blocks)))
    assert (layout.main is not None) is has_stream
    if layout.side and layout.main is not None:
        beside, main = sum(height(blocks[place]) for place in layout.side), height(blocks[layout.main])
        assert 0.4 * main <= beside <= 1.3 * main


def test_the_map_is_last_also_if_the_file_begins_with_it() -> None:
    blocks = [Size(BlockType.COUNTRIES, 0), stream(5), Size(BlockType.TOPICS, 4), Size(BlockType.NEWS, 4)]
    assert arrange(blocks).rows[-1].block == 0


def test_a_stream_alone_is_a_single_column() -> None:
    assert arrange([stream(5)]).is_single
    assert not arrange([Size(BlockType.NEWS, 4)]).is_single


def test_rows_have_columns_that_their_entries_fill() -> None:
    assert [columns_of(count) for count in range(7)] == [1, 1, 2, 3, 2, 3, 3]
