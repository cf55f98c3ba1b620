"""Import many feeds of one host."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_source_io import _list, _outline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import CommandLine
    from tests.upstream import Publisher


@pytest.mark.slow
def test_forty_feeds_of_one_host_are_asked_one_after_another(
    cli: CommandLine, publisher: Publisher, tmp_path: Path
) -> None:
    for n in range(4, 41):
        publisher.feeds[str(n)] = replace(publisher.feeds["1"], name=str(n), title=f"Feed {n}")
    file = _list(tmp_path, *(_outline(publisher.url(f"/good/{n}.xml")) for n in range(1, 41)))
    output = cli("source", "import", file).stdout
    assert "40 sources in feeds.opml: 40 added" in output
    assert publisher.hits.total() == 40
    assert [request.path for request in publisher.seen] == [f"/good/{n}.xml" for n in range(1, 41)]
