"""Check each requirement of the specifications of RSS 2.0, Atom and feed archives.

A check gets the root of a document and returns whether it conforms. Requirements for feed readers, and for
elements that our documents don't have, are not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from tests.reader.feeds.archive_musts import ARCHIVES
from tests.reader.feeds.atom_musts import ATOM as OF_ATOM
from tests.reader.feeds.rss_musts import RSS as OF_RSS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lxml.etree import _Element


@dataclass(frozen=True, slots=True)
class Must:
    """One requirement."""

    where: str  # document and section
    what: str
    kept: Callable[[_Element], bool]


RSS = [Must(*must) for must in (*OF_RSS, *ARCHIVES)]
ATOM = [Must(*must) for must in (*OF_ATOM, *ARCHIVES)]


def broken(document: bytes, musts: Iterable[Must]) -> list[str]:
    """Return the requirements that a document violates."""
    root = etree.fromstring(document)
    return [f"{must.where}: {must.what}" for must in musts if not must.kept(root)]
