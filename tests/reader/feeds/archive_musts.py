"""List the requirements for paged and archived feeds (RFC 5005), in RSS and Atom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reader.feeds.looking import (
    all_of,
    at_most_one,
    every,
    is_web,
    texts,
    unique,
)

if TYPE_CHECKING:
    from lxml.etree import _Element

_PAGING = {"first", "last", "next", "previous", "current", "prev-archive", "next-archive"}


def _relation_list(root: _Element) -> list[str]:
    return texts(root, "/a:feed/a:link/@rel|channel/a:link/@rel")


def _relations(root: _Element) -> set[str]:
    return set(_relation_list(root))


def _to(root: _Element, relation: str) -> list[str]:
    path = f"a:link[@rel='{relation}']/@href"
    return texts(root, f"/a:feed/{path}|channel/{path}")


def _self(root: _Element) -> str:
    return _to(root, "self")[0]


def _is_archive(root: _Element) -> bool:
    return bool(all_of(root, "/a:feed/fh:archive|channel/fh:archive"))


ARCHIVES = (
    (
        "RFC 5005, 3",
        "a paged feed has at least one of the four links",
        lambda r: _is_archive(r) or bool({"first", "last", "next", "previous"} & _relations(r)),
    ),
    (
        "RFC 5005, 3",
        "each link of paging comes once at most",
        lambda r: unique(rel for rel in _relation_list(r) if rel in _PAGING),
    ),
    (
        "RFC 5005, 3",
        "links of paging are absolute addresses",
        lambda r: all(is_web(link.get("href") or "") for link in all_of(r, "//a:link") if link.get("rel") in _PAGING),
    ),
    (
        "RFC 5005, 4",
        "fh:archive once at most, and empty",
        lambda r: at_most_one(r, "/a:feed|channel", "fh:archive") and every(r, "//fh:archive", lambda t: not t),
    ),
    (
        "RFC 5005, 4",
        "an archive says which document is current",
        lambda r: not _is_archive(r) or "current" in _relations(r),
    ),
    (
        "RFC 5005, 4",
        "an archive is not the current document",
        lambda r: not _is_archive(r) or _self(r) not in _to(r, "current"),
    ),
    (
        "RFC 5005, 4",
        "no document is its own neighbour",
        lambda r: (
            _self(r) not in [*_to(r, "prev-archive"), *_to(r, "next-archive"), *_to(r, "next"), *_to(r, "previous")]
        ),
    ),
    (
        "RFC 5005, 4",
        "what is current has no next archive",
        lambda r: _is_archive(r) or "next-archive" not in _relations(r),
    ),
)
