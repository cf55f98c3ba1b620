"""Serve static files from memory under names with a content hash, so that browsers can cache them forever."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One static file."""

    name: str  # "site.css"
    version: str  # hash of the content
    content: bytes
    media_type: str

    @property
    def path(self) -> str:
        """The path: "/static/HASH/site.css"."""
        return f"/static/{self.version}/{self.name}"


def assets_of(packages: Iterable[str]) -> Mapping[str, Asset]:
    """Return the files of the packages' `static` folders by name."""
    files = (file for package in packages for file in (resources.files(package) / "static").iterdir())
    return {file.name: _asset(file.name, file.read_bytes()) for file in files if file.is_file()}


def _asset(name: str, content: bytes) -> Asset:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/"):
        media_type += "; charset=utf-8"
    return Asset(name, hashlib.blake2b(content).hexdigest()[:_HASH_CHARACTERS], content, media_type)
